import { Effect, Either, Schema } from "effect"
import * as Paths from "../../src/protocol/Paths.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import type { ServerProcess } from "./ServerProcess.ts"

/** What a watcher got over all its connections. */
export interface Followed {
  /** As they came, control frames included. */
  readonly frames: ReadonlyArray<StreamClient.StreamEvent>
  readonly connects: number
}

/**
 * Follows a stream as a browser does, by `Last-Event-ID`, through every end of the server, to the event that `isLast`.
 * It returns as soon as the server is up again.
 */
export const follow = (
  server: Pick<ServerProcess, "url" | "up">,
  path: string,
  isLast: (event: StreamClient.StreamEvent) => boolean
) =>
  Effect.gen(function* () {
    const frames: Array<StreamClient.StreamEvent> = []
    let lastId = ""
    let connects = 0
    const connection = Effect.gen(function* () {
      const headers = lastId === "" ? {} : { [Paths.lastEventId]: lastId }
      const client = yield* StreamClient.open(`${server.url}${path}`, { headers })
      connects += 1
      const outcome = yield* Effect.either(client.find(isLast))
      for (const event of client.events()) frames.push(event)
      lastId = client.lastId() || lastId
      return Either.isRight(outcome)
    })
    const attempt = Effect.zipRight(server.up, Effect.scoped(connection)).pipe(
      Effect.catchTag("StreamNotOpened", () => Effect.succeed(false))
    )
    yield* Effect.repeat(attempt, { until: (isDone) => isDone })
    const followed: Followed = { frames, connects }
    return followed
  })

/** Frames that are events of a log, not of the connection. */
export const isEvent = ({ name }: StreamClient.StreamEvent): boolean => !name.startsWith("sluice.")

/** The control frames of one name. */
export const named = (followed: Followed, name: string) => followed.frames.filter((frame) => frame.name === name)

const Wrapped = Schema.Struct({
  session: Schema.String,
  epoch: Schema.String,
  seq: Schema.Int,
  name: Schema.String,
  data: Schema.String,
  at: Schema.String
})
const decodeWrapped = Schema.decodeUnknownSync(Schema.parseJson(Wrapped), { onExcessProperty: "error" })

/** The events of one session on a stream over several. What was broken off within a batch came once more, and counts once. */
export const unwrapped = ({ frames }: Followed, session: string): ReadonlyArray<typeof Wrapped.Type> => {
  const all: Array<typeof Wrapped.Type> = []
  for (const { data } of frames.filter(isEvent)) {
    const event = decodeWrapped(data)
    if (event.session === session && event.seq > (all[all.length - 1]?.seq ?? 0)) all.push(event)
  }
  return all
}
