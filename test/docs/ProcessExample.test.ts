import * as assert from "node:assert/strict"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as ExampleProcess from "./ExampleProcess.ts"
import { fences } from "./RunnableBlocks.ts"

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const example = path("docs/examples/process.ts")
const start = (cwd: string) => ExampleProcess.start("process.ts", { cwd })

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
