import { spawn } from "node:child_process"
import { Effect } from "effect"

const script = `
  import SQLite from "better-sqlite3"
  const db = new SQLite(process.argv[1], { timeout: 0 })
  db.exec(process.argv[2])
  console.log("done")
  setInterval(() => db.open, 1000) // what nothing refers to is collected, and its lock with it
`

/** A process of its own that ran `sql` on `filename` and keeps the connection, until `kill` (a SIGKILL) or the scope ends. */
export const make = (filename: string, sql: string) =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--input-type=module", "-e", script, filename, sql], {
          stdio: ["ignore", "pipe", "ignore"]
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    yield* Effect.async<void>((resume) => {
      child.stdout.once("data", () => resume(Effect.void))
      child.once("exit", () => resume(Effect.die("the other process ended")))
    })
    const kill = Effect.async<void>((resume) => {
      child.once("exit", () => resume(Effect.void))
      child.kill("SIGKILL")
    })
    return { kill } as const
  })
