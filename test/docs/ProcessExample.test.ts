import * as assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import { fences } from "./RunnableBlocks.ts"

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const example = path("docs/examples/process.ts")
const command = [path("node_modules/vite-node/vite-node.mjs"), "--root", path(""), "--config"]

// A run that is broken off closes no scope.
const children = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

/** The URL that it says, once its process is attached. */
const start = (cwd: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const args = [...command, path("test/docs/vite-node.config.ts"), example]
      const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] })
      children.add(child)
      return child
    }),
    (child) =>
      Effect.async<void>((resume) => {
        children.delete(child)
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  ).pipe(
    Effect.flatMap((child) =>
      Effect.async<string>((resume) => {
        let said = ""
        const hear = (text: Buffer) => {
          said += text
          const [, url] = /(http:\/\/[0-9.:]+)\/v1\/.*\n/.exec(said) ?? []
          if (url !== undefined) resume(Effect.succeed(url))
        }
        child.stdout.on("data", hear)
        child.stderr.on("data", hear)
        child.once("exit", () => resume(Effect.dieMessage(`it ended:\n${said}`)))
      })
    )
  )

const post = (url: string, what: string, body: unknown) =>
  Effect.map(
    Effect.promise(() => fetch(`${url}/v1/sessions/changes/${what}`, { method: "POST", body: JSON.stringify(body) })),
    ({ status }) => assert.equal(status, 202)
  )

const has = (client: StreamClient.StreamClient, data: string) => client.find((event) => event.data.includes(data))

describe("docs/examples/process.ts", () => {
  it("is what docs/sessions.md shows", () => {
    const shown = fences(readFileSync(path("docs/sessions.md"), "utf8")).filter(({ language }) => language === "ts")
    assert.deepEqual(
      shown.map(({ text }) => text),
      [readFileSync(example, "utf8").trimEnd()]
    )
  })

  it.scopedLive("tells of changes until it is interrupted, and goes on after a kill -9 of its server", () =>
    Effect.gen(function* () {
      const cwd = dirname(yield* TemporaryFile.make)
      mkdirSync(join(cwd, "folder"))
      const watch = (url: string) => StreamClient.open(`${url}/v1/sessions/changes/stream?from=start`)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const url = yield* start(cwd)
          const client = yield* watch(url)
          yield* post(url, "messages", { id: "1", data: "folder" })
          yield* post(url, "messages", { id: "2", data: "nowhere" })
          const failed = yield* has(client, `"message_failed"`)
          assert.match(failed.data, /"id":"2","problem":"ENOENT/)
          writeFileSync(join(cwd, "folder/a.txt"), "a")
          assert.equal((yield* client.named("changed")).data, `{"folder":"folder","file":"a.txt"}`)
          yield* post(url, "interrupt", {})
          yield* has(client, `"interrupted"`)
          assert.equal((yield* client.named("idle")).data, `{"watching":0}`)
        })
      )
      const url = yield* start(cwd)
      const client = yield* watch(url)
      yield* has(client, `{"state":"DETACHED","from":"ACTIVE","reason":"crashed"}`)
      yield* has(client, `{"state":"ACTIVE","from":"DETACHED"}`)
      yield* post(url, "stop", {})
      yield* client.named("sluice.end")
      yield* has(client, `{"state":"ENDED","from":"CLOSING","reason":"stopped"}`)
    })
  )
})
