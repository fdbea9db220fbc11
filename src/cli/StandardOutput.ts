import { Data, Effect } from "effect"

/** Whoever read our output has gone (`sluice tail … | head`): nothing is left to do, and nothing is wrong. */
class OutputClosed extends Data.TaggedError("OutputClosed") {}

/** Returns when the text was taken, so that who reads slowly slows us down and memory stays bounded. */
export const write = (text: string): Effect.Effect<void, OutputClosed> =>
  Effect.async<void, OutputClosed>((resume) => {
    const { stdout } = process
    stdout.write(text, (error) => resume(error ? Effect.fail(new OutputClosed()) : Effect.void))
  })

/** Without a listener Node ends the process with a stack when the reader goes; `write` hears of it anyway. */
export const guard: Effect.Effect<void> = Effect.sync(() => {
  process.stdout.on("error", () => {})
  process.stderr.on("error", () => {})
})

/** One line for the operator. */
export const complain = (line: string): Effect.Effect<void> => Effect.sync(() => process.stderr.write(`${line}\n`))

/** Writes the terminal's present line anew, without an end. */
export const rewrite = (line: string): Effect.Effect<void> => Effect.sync(() => process.stderr.write(`\r\x1b[K${line}`))
