import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Data, Effect, Ref, Stream } from "effect"
import { maxEvents } from "../domain/Event.ts"
import { nameProblem } from "../domain/Event.ts"
import { settings } from "../server/Settings.ts"
import { type CommandError, failed, misused } from "./CommandError.ts"
import * as EventBatch from "./EventBatch.ts"
import * as Flags from "./Flags.ts"
import * as InputLines from "./InputLines.ts"
import * as Remote from "./Remote.ts"
import * as Sending from "./Sending.ts"
import * as StandardOutput from "./StandardOutput.ts"
import * as Tally from "./Tally.ts"

export const usage = `usage: sluice append SESSION [flags] < LINES

Appends each line of standard input as one event, in order and each exactly once, also over a restart of the server.

  --name NAME      name of the events (default message)
  --ndjson         each line is an event in JSON: {"name"?: …, "data": …}
  --batch N        events of one request, 1 to ${maxEvents} (default ${maxEvents})
${Remote.usage}`

const options = {
  ...Remote.flags,
  name: { type: "string" },
  ndjson: { type: "boolean", default: false },
  batch: { type: "string", default: String(maxEvents) }
} as const

/** The input cannot go on: one of its lines is no event, or it cannot be read. */
class InputProblem extends Data.TaggedError("InputProblem")<{ readonly text: string }> {}

const batchSize = (text: string): Effect.Effect<number, CommandError> => {
  const size = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (size >= 1 && size <= maxEvents) return Effect.succeed(size)
  return Effect.fail(
    misused(`--batch ${text.slice(0, 200)} is not allowed: a whole number from 1 to ${maxEvents}`, usage)
  )
}

const checkName = (name: string | undefined, ndjson: boolean): Effect.Effect<void, CommandError> => {
  if (name === undefined) return Effect.void
  if (ndjson) return Effect.fail(misused("--name is not for --ndjson: each line has its own", usage))
  const problem = nameProblem(name)
  return problem === undefined ? Effect.void : Effect.fail(misused(`--name ${problem}`, usage))
}

/** The server's own limit, where both are configured alike; a server that allows less says so. */
const maxEventBytes = (): number => {
  const { fallback, parse } = settings.maxEventBytes
  return parse(process.env["SLUICE_MAX_EVENT_BYTES"] ?? "") ?? fallback
}

/** Standard input as batches. It is read only as fast as they are taken. */
const batches = (lines: InputLines.InputLines, limits: EventBatch.Limits) => {
  const read = ({ events, problem }: InputLines.Read) =>
    Stream.concat(
      Stream.fromIterable(EventBatch.cut(events, limits)),
      problem === undefined ? Stream.empty : Stream.fail(new InputProblem({ text: problem }))
    )
  return NodeStream.fromReadable<InputProblem, Uint8Array>(
    () => process.stdin,
    (error) => new InputProblem({ text: `standard input cannot be read: ${String(error)}` })
  ).pipe(
    Stream.map((bytes) => read(lines.feed(bytes))),
    Stream.concat(Stream.sync(() => read(lines.end()))),
    Stream.flatten()
  )
}

export const run = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { positionals, values } = yield* Flags.parse(args, options, usage)
    const session = yield* Flags.session(positionals, usage)
    const remote = yield* Remote.make(values, usage)
    yield* checkName(values.name, values.ndjson)
    const limits: EventBatch.Limits = { events: yield* batchSize(values.batch), bytes: 1_048_576 }
    const lines = InputLines.make({ ndjson: values.ndjson, name: values.name, maxEventBytes: maxEventBytes() })

    const tally = yield* Ref.make(Tally.empty)
    const progress = yield* Tally.progress
    const tell = (line: string) => Effect.zipRight(progress.clear, StandardOutput.complain(`sluice: ${line}`))
    const summary = Effect.flatMap(Ref.get(tally), (tally) => tell(Tally.describe(tally)))

    yield* Sending.run(batches(lines, limits), {
      remote,
      session,
      limits,
      onSend: (batch) => Ref.update(tally, (before) => Tally.sent(before, batch.lines.length)),
      onAccepted: (batch, receipt) =>
        Ref.updateAndGet(tally, (before) => Tally.accepted(before, batch.lines.length, receipt)).pipe(
          Effect.flatMap(progress.show)
        ),
      onWait: (why, millis) => tell(`${remote.url}: ${why}; next try in ${(millis / 1000).toFixed(1)} s`)
    }).pipe(
      // A refusal is an answer: nothing of that batch is stored.
      Effect.tapErrorTag("BatchRefused", () => Ref.update(tally, (before) => Tally.sent(before, 0))),
      Effect.ensuring(summary),
      Effect.catchTags({
        InputProblem: ({ text }) => Effect.fail(failed(text)),
        BatchRefused: ({ text }) => Effect.fail(failed(`${remote.url} refuses: ${text}`))
      })
    )
    return 0
  }).pipe(Effect.provide(NodeHttpClient.layer))
