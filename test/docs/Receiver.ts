import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

const aliases = fileURLToPath(new URL("./vite-node.config.ts", import.meta.url))
const root = fileURLToPath(new URL("../..", import.meta.url))
const examples = "docs/examples/callbacks"

/** How an example of `docs/callbacks.md` is started. */
const commands = {
  "receiver.mjs": [process.execPath, `${examples}/receiver.mjs`],
  "receiver.py": ["python3", `${examples}/receiver.py`],
  "receiver.ts": [
    process.execPath,
    "node_modules/vite-node/vite-node.mjs",
    "--config",
    aliases,
    `${examples}/receiver.ts`
  ]
} as const

export type Name = keyof typeof commands

// A run that is broken off closes no scope.
const children = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

const launch = (name: Name, secret: string) => {
  const [command, ...args] = commands[name]
  const env = { ...process.env, CALLBACK_SECRET: secret, PORT: "0" }
  const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] })
  children.add(child)
  return child
}

const stop = (child: ChildProcess) =>
  Effect.async<void>((resume) => {
    children.delete(child)
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** Starts one at a free port, until the scope closes. Its URL, once it listens. */
export const start = (name: Name, secret: string) =>
  Effect.acquireRelease(
    Effect.sync(() => launch(name, secret)),
    stop
  ).pipe(
    Effect.flatMap((child) =>
      Effect.async<string>((resume) => {
        let said = ""
        const hear = (text: Buffer) => {
          said += text
          const [, url] = /listening on (http:\/\/[0-9.:]+)/i.exec(said) ?? []
          if (url !== undefined) resume(Effect.succeed(url))
        }
        child.stdout.on("data", hear)
        child.stderr.on("data", hear)
        child.once("error", (error) => resume(Effect.dieMessage(error.message)))
        child.once("exit", () => resume(Effect.dieMessage(`${name} ended:\n${said}`)))
      })
    )
  )
