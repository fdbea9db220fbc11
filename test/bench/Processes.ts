/** The processes of a benchmark, none of which outlives it. */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Answer, Order, Ready } from "./LoadClient.ts"
import type { Outcome, Server, ServerKind } from "./Measure.ts"

/** Compiled, this file is in `test/bench/dist/test/bench/`. */
const cli = fileURLToPath(new URL("../../../../../dist/cli/main.js", import.meta.url))
const main = fileURLToPath(new URL("./main.js", import.meta.url))

const running = new Set<ChildProcess>()

/** For the files of the servers; `TMPDIR` decides on which disk. Goes when the benchmark ends. */
export const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"))

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

const track = <Child extends ChildProcess>(child: Child): Child => {
  running.add(child)
  child.once("exit", () => running.delete(child))
  return child
}

/** Ends it the hard way: nothing that is measured lies behind it. Done when the process is gone. */
const end = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (!running.has(child)) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

/** The settings of the user's own server are not those of the measured ones. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:SLUICE_|CALLBACK_|HEARTBEAT_|PORT$|HOST$)/.test(name))
  )

let files = 0

const command = (kind: ServerKind): ReadonlyArray<string> =>
  kind === "power" || kind === "process"
    ? [cli, "serve", "--port=0", `--store=sqlite:${join(folder, `${++files}.db`)}`, `--durability=${kind}`]
    : [main, `--as=${kind}`]

export interface ServerProcess extends Server {
  readonly stop: () => Promise<void>
}

/** Done when it accepts connections. */
export const startServer = (kind: ServerKind, callbackUrl: string): Promise<ServerProcess> =>
  new Promise((resolve, reject) => {
    const child = track(
      spawn(process.execPath, command(kind), {
        stdio: ["ignore", "pipe", "inherit"],
        cwd: folder,
        // One connect replays 200 events unless told otherwise; the replay is of more.
        env: {
          ...environment(),
          CALLBACK_URL: callbackUrl,
          SLUICE_REPLAY_CAP: "1000000",
          SLUICE_LOG_LEVEL: "error"
        }
      })
    )
    let said = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text
      const port = /listening on http:\/\/[^:]+:(\d+)/.exec(said)?.[1]
      if (port !== undefined) resolve({ port: Number(port), pid: child.pid ?? 0, stop: () => end(child) })
    })
    child.once("exit", (code) => reject(new Error(`the ${kind} server ended with ${code}: ${said}`)))
  })

export interface LoadProcess {
  /** Where the gateways ask. */
  readonly callbackUrl: string
  /** Fails with what went wrong there, also when it takes longer than any measure should. */
  readonly order: (order: Order) => Promise<Outcome | undefined>
  readonly stop: () => Promise<void>
}

const patience = 20_000

export const startLoad = async (): Promise<LoadProcess> => {
  const child = track(fork(main, ["--as=load"], { env: environment() }))
  const { callbackUrl } = await new Promise<Ready>((resolve, reject) => {
    child.once("message", resolve).once("exit", () => reject(new Error("the load process did not start")))
  })
  return {
    callbackUrl,
    order: (order) =>
      new Promise((resolve, reject) => {
        const fail = (problem: string) => {
          settle()
          reject(new Error(problem))
        }
        const onMessage = (answer: Answer) => {
          if ("problem" in answer) return fail(answer.problem)
          settle()
          resolve(answer.outcome)
        }
        const onExit = () => fail("the load process died")
        // It would still be at this order when the next one comes.
        const giveUp = () => {
          fail(`no end within ${patience / 1000} s`)
          child.kill("SIGKILL")
        }
        const timer = setTimeout(giveUp, patience)
        const settle = () => {
          clearTimeout(timer)
          child.off("message", onMessage).off("exit", onExit)
        }
        child.on("message", onMessage).on("exit", onExit)
        child.send(order, (error) => error && fail(error.message))
      }),
    stop: () => end(child)
  }
}
