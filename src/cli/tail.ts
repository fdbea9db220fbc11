import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Stream } from "effect"
import type { Gap } from "../client/core/Reader.ts"
import type { Delivery } from "../client/effect/Delivery.ts"
import * as SluiceClient from "../client/effect/SluiceClient.ts"
import type * as Watching from "../client/effect/Watching.ts"
import type { SessionId } from "../domain/Session.ts"
import * as Cursor from "../protocol/Cursor.ts"
import { type CommandError, failed, misused } from "./CommandError.ts"
import * as Flags from "./Flags.ts"
import { policy } from "./Persistence.ts"
import * as Remote from "./Remote.ts"
import * as StandardOutput from "./StandardOutput.ts"

export const usage = `usage: sluice tail SESSION [flags]

Prints a session's events as they come, one after the other without a hole, over any number of disconnects.

  --from WHERE     start or head (default head)
  --cursor CURSOR  go on after EPOCH.SEQ instead
  --json           one JSON object a line: session, epoch, seq, name, data
  --until-live     stop when all that is stored was printed
  --no-history     do not fill gaps from history, only tell of them
  --verbose        tell of the connection on standard error, also when it is no terminal
${Remote.usage}`

const options = {
  ...Remote.flags,
  from: { type: "string", default: "head" },
  cursor: { type: "string" },
  json: { type: "boolean", default: false },
  "until-live": { type: "boolean", default: false },
  "no-history": { type: "boolean", default: false },
  verbose: { type: "boolean", default: false }
} as const

const place = (
  session: SessionId,
  from: string,
  cursor: string | undefined
): Effect.Effect<Watching.Options, CommandError> => {
  if (cursor === undefined) {
    if (from === "start" || from === "head") return Effect.succeed({ from })
    return Effect.fail(misused(`--from ${from.slice(0, 200)} is not allowed: start or head`, usage))
  }
  const parsed = Cursor.parse(cursor)
  if (parsed !== undefined) return Effect.succeed({ cursors: new Map([[session, parsed]]) })
  return Effect.fail(misused(`--cursor ${cursor.slice(0, 200)} is not allowed: EPOCH.SEQ`, usage))
}

const describe = ({ after, epoch, missed, next, reason }: Gap): string =>
  missed === null
    ? `events were missed, nobody knows how many (${reason}); going on with ${epoch}.${next}`
    : `${missed} events were missed (${reason}): ${epoch}.${after + 1} .. ${epoch}.${next - 1}`

const state = (delivery: Delivery): string | undefined => {
  switch (delivery._tag) {
    case "Connected":
      return `connected (${delivery.mode})`
    case "Live":
      return delivery.cursor === undefined || Cursor.isOrigin(delivery.cursor)
        ? "live"
        : `live at ${Cursor.format(delivery.cursor)}`
    case "Offline":
      return `offline: ${delivery.why}; next try in ${(delivery.millis / 1000).toFixed(1)} s`
    case "End":
      return delivery.reason === "deleted" ? "the session was deleted" : "the session has ended"
    default:
      return undefined
  }
}

const json = (session: string, delivery: Delivery): string => {
  if (delivery._tag === "Gap") return `${JSON.stringify({ gap: { session, ...delivery.gap } })}\n`
  if (delivery._tag !== "Events") return ""
  const { epoch } = delivery
  return delivery.events
    .map(({ data, name, seq }) => `${JSON.stringify({ session, epoch, seq, name, data })}\n`)
    .join("")
}

const text = (delivery: Delivery): string =>
  delivery._tag === "Events" ? delivery.events.map(({ data }) => `${data}\n`).join("") : ""

export const run = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { positionals, values } = yield* Flags.parse(args, options, usage)
    const session = yield* Flags.session(positionals, usage)
    const remote = yield* Remote.make(values, usage)
    const begin = yield* place(session, values.from, values.cursor)
    const client = yield* SluiceClient.make({ ...remote, reconnect: policy })
    const isTold = values.verbose || process.stderr.isTTY === true

    const show = (delivery: Delivery) =>
      Effect.gen(function* () {
        const shown = values.json ? json(session, delivery) : text(delivery)
        if (shown !== "") yield* StandardOutput.write(shown)
        const isEnd = delivery._tag === "End"
        const told = delivery._tag === "Gap" ? describe(delivery.gap) : isTold || isEnd ? state(delivery) : undefined
        if (told !== undefined) yield* StandardOutput.complain(`sluice: ${told}`)
      })

    yield* client.watch(session, { ...begin, fillsGaps: !values["no-history"] }).pipe(
      Stream.takeUntil(({ _tag }) => _tag === "Live" && values["until-live"]),
      Stream.runForEach(show),
      Effect.catchTags({
        Refused: ({ text }) => Effect.fail(failed(`${remote.url} refuses: ${text}`)),
        Unavailable: ({ why }) => Effect.fail(failed(`${remote.url}: ${why}`)),
        OutputClosed: () => Effect.void
      })
    )
    return 0
  }).pipe(Effect.provide(NodeHttpClient.layer))
