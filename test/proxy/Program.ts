import { spawn } from "node:child_process"
import { delimiter } from "node:path"
import { Deferred, Effect, FiberId } from "effect"

/** A server that is not ours, as a process of whoever runs the tests. */
export interface Program {
  /** All that it said, both outputs together. */
  readonly said: () => string
  /** `kill -9` of the process and of all that it has started; done when it is gone. */
  readonly kill9: Effect.Effect<void>
  readonly ended: Effect.Effect<void>
}

// Debian keeps servers where only root looks for them.
const env = { ...process.env, PATH: [process.env["PATH"], "/usr/local/sbin", "/usr/sbin"].join(delimiter) }

const groups = new Set<() => void>()
process.once("exit", () => {
  for (const kill of groups) kill()
})

const launch = (name: string, args: ReadonlyArray<string>, cwd: string): Program => {
  // A group of its own: workers outlive a master that is killed.
  const child = spawn(name, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] })
  const ended = Deferred.unsafeMake<void>(FiberId.none)
  let said = ""
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding("utf8").on("data", (text: string) => {
      said += text
    })
  }
  const kill = () => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, "SIGKILL")
    } catch {
      // Gone in the meantime.
    }
  }
  const end = () => {
    groups.delete(kill)
    Deferred.unsafeDone(ended, Effect.void)
  }
  groups.add(kill)
  child.once("close", end)
  child.once("error", (error: NodeJS.ErrnoException) => {
    said +=
      error.code === "ENOENT"
        ? `${name} is not installed, and these tests are about it: apt-get install nginx-light haproxy openssl`
        : error.message
    end()
  })
  return {
    said: () => said,
    kill9: Effect.zipRight(Effect.sync(kill), Deferred.await(ended)),
    ended: Deferred.await(ended)
  }
}

export const make = (name: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.acquireRelease(
    Effect.sync(() => launch(name, args, cwd)),
    (program) => program.kill9
  )
