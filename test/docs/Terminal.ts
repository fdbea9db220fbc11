import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { matches, type Step } from "./RunnableBlocks.ts"

/** What a marked block may take to end, or to show what it should. */
const patience = 30_000

/** What a terminal that matches is still given to end by itself. */
const grace = 300

interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  /** Its exit code; `undefined` while it runs. */
  readonly code: () => number | undefined
  looked: number
}

const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(address)))
    })
  })

/** The ports that a document speaks of, as in `localhost:3000`, `PORT=3000` and `--port 3000`. */
const portsOf = (steps: ReadonlyArray<Step>) => {
  const ports = new Set(["3000"])
  const named = /(?:localhost:|127\.0\.0\.1:|\bPORT=|--port[ =])(\d{4,5})\b/g
  for (const step of steps) {
    for (const [, port] of (step.kind === "run" ? step.command : step.text).matchAll(named)) if (port) ports.add(port)
  }
  return ports
}

/**
 * A reader's terminals, for one document: a folder of its own that looks like this checkout, free ports in place of those
 * that the document names, and `npm start`, `npx sluice` and `sluice` that run what was built, without an install.
 */
export const make = async (root: string, steps: ReadonlyArray<Step>) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-docs-"))
  const bin = join(folder, ".bin")
  const running = new Map<string, Running>()
  const started: Array<Running> = []

  const ports: Array<readonly [string, string]> = []
  for (const port of portsOf(steps)) ports.push([port, String(await freePort())])
  const toReal = (text: string) =>
    ports.reduce((all, [port, real]) => all.replace(new RegExp(`\\b${port}\\b`, "g"), real), text)
  const toWritten = (text: string) => ports.reduce((all, [port, real]) => all.replaceAll(real, port), text)

  for (const name of ["dist", "docs", "node_modules", "package.json"]) symlinkSync(join(root, name), join(folder, name))
  mkdirSync(bin)
  const script = (name: string, text: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const sluice = `exec "${process.execPath}" "${join(root, "dist/cli/main.js")}"`
  const other = (what: string) => `echo "${what} is not run by this test" >&2; exit 64`
  script("sluice", `${sluice} "$@"`)
  script("npx", `[ "$1" = sluice ] && shift && ${sluice} "$@"\n${other("npx $1")}`)
  script("npm", `[ "$1" = start ] && shift && { [ "$1" = -- ] && shift; ${sluice} serve "$@"; }\n${other("npm $1")}`)
  // No progress bar when the output is not a terminal.
  writeFileSync(join(folder, ".curlrc"), "silent\nshow-error\n")

  const env = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(SLUICE_|CALLBACK_|VITEST|NODE_ENV$)/.test(name))
    ),
    HOME: folder,
    CURL_HOME: folder,
    HOST: "127.0.0.1",
    PORT: toReal("3000"),
    PATH: `${bin}${delimiter}${process.env["PATH"]}`
  }

  const start = (command: string): Running => {
    // A group of its own, so that what the shell has started stops with it.
    const child = spawn("bash", ["-e", "-c", toReal(command)], {
      cwd: folder,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    let code: number | undefined
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text))
    child.on("close", (exit) => (code = exit ?? -1))
    child.on("error", (error) => (output += error.message))
    const terminal: Running = { child, output: () => toWritten(output), code: () => code, looked: 0 }
    started.push(terminal)
    return terminal
  }

  const kill = (terminal: Running, signal: NodeJS.Signals) => {
    if (terminal.code() !== undefined || terminal.child.pid === undefined) return
    try {
      process.kill(-terminal.child.pid, signal)
    } catch {
      // Gone in the meantime.
    }
  }

  /** Whether `done` came true in time. */
  const wait = async (done: () => boolean, milliseconds: number) => {
    const end = performance.now() + milliseconds
    while (!done() && performance.now() < end) await sleep(20)
    return done()
  }

  const unseen = (terminal: Running) => terminal.output().slice(terminal.looked)

  const unlike = (expected: string, actual: string, terminal: Running) =>
    new Error(
      `It printed\n\n${actual}\n\nwhere the document shows\n\n${expected}\n\n(${
        terminal.code() === undefined ? "it still runs" : `exit code ${terminal.code()}`
      })`
    )

  const stay = async (name: string, command: string, shows: string | undefined) => {
    const terminal = start(command)
    running.set(name, terminal)
    const isUp = () => (name === "server" ? /listening on http:\/\//.test(terminal.output()) : terminal.output() !== "")
    await wait(() => isUp() || terminal.code() !== undefined, name === "server" ? patience : 2_000)
    if (terminal.code() !== undefined) throw new Error(`It should stay, but ended:\n\n${terminal.output()}`)
    if (name === "server" && !isUp()) throw new Error(`No "listening on http://…" came:\n\n${terminal.output()}`)
    if (shows !== undefined) await look(name, shows)
  }

  const look = async (name: string, expected: string) => {
    const terminal = running.get(name)
    if (terminal === undefined) throw new Error(`No block before was marked <!-- runs: ${name} -->`)
    if (!(await wait(() => matches(expected, unseen(terminal)), patience)))
      throw unlike(expected, unseen(terminal), terminal)
    terminal.looked = terminal.output().length
  }

  const end = async (command: string, shows: string | undefined) => {
    const terminal = start(command)
    const hasEnded = () => terminal.code() !== undefined
    const isShown = () => shows !== undefined && matches(shows, terminal.output())
    await wait(() => hasEnded() || isShown(), patience)
    const wasShown = isShown()
    await wait(hasEnded, grace)
    if (hasEnded() && terminal.code() !== 0) throw new Error(`Exit code ${terminal.code()}:\n\n${terminal.output()}`)
    if (!hasEnded()) kill(terminal, "SIGTERM")
    if (!wasShown && shows !== undefined) {
      if (!isShown()) throw unlike(shows, terminal.output(), terminal)
    } else if (!hasEnded() && shows === undefined) {
      throw new Error(`It did not end in ${patience / 1000} s:\n\n${terminal.output()}`)
    }
  }

  return {
    run: (step: Step): Promise<void> => {
      if (step.kind === "shows") return look(step.name, step.text)
      return step.name === undefined ? end(step.command, step.shows) : stay(step.name, step.command, step.shows)
    },
    close: async () => {
      for (const terminal of started) kill(terminal, "SIGTERM")
      await wait(() => started.every((terminal) => terminal.code() !== undefined), 15_000)
      for (const terminal of started) kill(terminal, "SIGKILL")
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    }
  }
}
