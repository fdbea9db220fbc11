import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const command = [path("node_modules/vite-node/vite-node.mjs"), "--root", path(""), "--config"]

// A run that is broken off closes no scope.
const children = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

interface Options {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Killed, or ended with grace, with its scope. */
  readonly signal?: "SIGKILL" | "SIGTERM"
}

/** A program of docs/examples/ in a process of its own, until the scope closes. The first address of a server that it says. */
export const start = (example: string, { cwd, env = {}, signal = "SIGKILL" }: Options) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const args = [...command, path("test/docs/vite-node.config.ts"), path(`docs/examples/${example}`)]
      const child = spawn(process.execPath, args, {
        cwd,
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      children.add(child)
      return child
    }),
    (child) =>
      Effect.async<void>((resume) => {
        children.delete(child)
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill(signal)
      })
  ).pipe(
    Effect.flatMap((child) =>
      Effect.async<string>((resume) => {
        let said = ""
        const hear = (text: Buffer) => {
          said += text
          const [, url] = /(http:\/\/[0-9.:]+).*\n/.exec(said) ?? []
          if (url !== undefined) resume(Effect.succeed(url))
        }
        child.stdout.on("data", hear)
        child.stderr.on("data", hear)
        child.once("exit", () => resume(Effect.dieMessage(`it ended:\n${said}`)))
      })
    )
  )
