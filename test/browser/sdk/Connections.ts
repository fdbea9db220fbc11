import * as assert from "node:assert/strict"
import { Effect, Schedule, Schema } from "effect"
import * as Requests from "../../scenarios/Requests.ts"

const decode = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Struct({ connections: Schema.Array(Schema.Struct({ token: Schema.String })) }))
)

/** The streams that a server has, as operators see them. */
export const tokens = (server: { readonly url: string }) =>
  Effect.map(Effect.orDie(Requests.send(`${server.url}/v1/connections`)), ({ status, text }) => {
    assert.equal(status, 200, text)
    return decode(text).connections.map(({ token }) => token)
  })

/** Waits until they are such. */
export const until = (server: { readonly url: string }, isSuch: (tokens: ReadonlyArray<string>) => boolean) =>
  Effect.repeat(tokens(server), { until: isSuch, schedule: Schedule.spaced("20 millis") })

/** Waits until there is one stream, and it is none of these. */
export const another = (server: { readonly url: string }, before: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    yield* until(server, (now) => now.length === 1 && now.every((token) => !before.includes(token)))
    return [...before, ...(yield* tokens(server))]
  })
