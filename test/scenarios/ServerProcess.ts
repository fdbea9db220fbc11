import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { dirname } from "node:path"
import { Deferred, Effect, FiberId, Scope } from "effect"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as Process from "./Process.ts"

/** `sluice serve` in a process of its own, which may be ended and started any number of times on the same port and file. */
export interface ServerProcess {
  readonly url: string
  readonly filename: string
  /** Done when it accepts connections. */
  readonly start: Effect.Effect<void>
  /** Done when one runs: at once, or as soon as it was started again. */
  readonly up: Effect.Effect<void>
  /** `kill -9`, at once; done when the process is gone. */
  readonly kill9: Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly ended: Effect.Effect<Process.Status>
  /** SIGTERM. */
  readonly stop: Effect.Effect<Process.Status>
  readonly said: () => string
  /** Bytes of memory in use, and the most that ever were. Linux only. */
  readonly memory: () => { readonly now: number; readonly peak: number }
}

const isFree = (port: number) =>
  Effect.async<boolean>((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/**
 * Below the ports that systems give to clients: while the server is down, a client that tries to reach such a port may get
 * that very port for its own end, and so either take the place of the server or talk to itself.
 */
export const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = 10_000 + Math.floor(Math.random() * 20_000)
  return Effect.flatMap(isFree(port), (free) => (free ? Effect.succeed(port) : freePort))
})

const kilobytes = (status: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? assert.fail(`no ${name}`))

/** Not started yet. `settings` are its environment; its data file is in a folder that goes with the scope. */
const make = (
  settings: Readonly<Record<string, string>> = {},
  file: Effect.Effect<string, never, Scope.Scope> = TemporaryFile.make
) =>
  Effect.gen(function* () {
    const filename = yield* file
    const port = yield* freePort
    const scope = yield* Effect.scope
    let up = Deferred.unsafeMake<void>(FiberId.none)
    let running: Process.Process | undefined

    const options = {
      cwd: dirname(filename),
      env: { PORT: String(port), SLUICE_STORE: `sqlite:${filename}`, SLUICE_LOG_FORMAT: "json", ...settings }
    }
    const present = Effect.suspend(() => (running ? Effect.succeed(running) : Effect.dieMessage("it was not started")))
    const signal = (signal: NodeJS.Signals) =>
      Effect.flatMap(present, (server) => {
        up = Deferred.unsafeMake<void>(FiberId.none)
        return server.signal(signal)
      })
    const ended = Effect.flatMap(present, (server) => server.ended)

    const server: ServerProcess = {
      url: `http://127.0.0.1:${port}`,
      filename,
      start: Effect.gen(function* () {
        running = yield* Scope.extend(Process.make(["serve"], options), scope)
        yield* running.says(/listening on http:\/\/127\.0\.0\.1:\d+\n/)
        yield* Deferred.succeed(up, undefined)
      }),
      up: Effect.suspend(() => Deferred.await(up)),
      kill9: Effect.zipRight(signal("SIGKILL"), ended),
      signal,
      ended,
      stop: Effect.zipRight(signal("SIGTERM"), ended),
      said: () => running?.said() ?? "",
      memory: () => {
        const status = readFileSync(`/proc/${running?.pid}/status`, "utf8")
        return { now: kilobytes(status, "VmRSS") * 1024, peak: kilobytes(status, "VmHWM") * 1024 }
      }
    }
    return server
  })

/** `make`, and it runs. */
export const started = (...given: Parameters<typeof make>) => Effect.tap(make(...given), (server) => server.start)
