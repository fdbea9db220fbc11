import { createInterface } from "node:readline"
import { Effect, Schema } from "effect"
import * as BuildLog from "./BuildLog.ts"
import * as Process from "./Process.ts"
import type { ServerProcess } from "./ServerProcess.ts"

const Line = Schema.parseJson(
  Schema.Struct({
    session: Schema.String,
    epoch: Schema.String,
    seq: Schema.Int,
    name: Schema.String,
    data: Schema.String
  })
)
const decode = Schema.decodeUnknownSync(Line, { onExcessProperty: "error" })

/** `sluice tail SESSION --json --from start`, whose lines are added up. */
export interface Tail {
  readonly sum: BuildLog.Sum
  /** Done when so many events were printed; dies when a line is none, or does not follow the one before. */
  readonly until: (count: number) => Effect.Effect<void>
  readonly said: () => string
}

export const make = (server: ServerProcess, session: string, cwd: string) =>
  Effect.map(
    Process.make(["tail", session, "--json", "--from", "start", "--verbose", "--url", server.url], {
      cwd,
      readsOutput: true
    }),
    (tail): Tail => {
      const sum = BuildLog.sum()
      const attempts = new Set<() => void>()
      let problem: string | undefined
      const attemptAll = () => {
        for (const attempt of attempts) attempt()
      }
      const take = (line: string) => {
        try {
          const { data, epoch, seq } = decode(line)
          sum.add(epoch, seq, data)
        } catch (error) {
          problem ??= String(error)
        }
        attemptAll()
      }
      // Lines end at LF here, whatever else `readline` takes for an end is escaped in JSON or part of the data.
      createInterface({ input: tail.child.stdout, crlfDelay: Number.POSITIVE_INFINITY }).on("line", take)
      return {
        sum,
        until: (count) =>
          Effect.async((resume) => {
            const attempt = () => {
              if (problem === undefined && sum.count() < count) return
              attempts.delete(attempt)
              resume(problem === undefined ? Effect.void : Effect.dieMessage(problem))
            }
            attempts.add(attempt)
            attempt()
            return Effect.sync(() => attempts.delete(attempt))
          }),
        said: tail.said
      }
    }
  )
