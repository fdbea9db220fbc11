import * as assert from "node:assert/strict"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "@effect/vitest"
import { Effect, Predicate } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as ExampleProcess from "./ExampleProcess.ts"

/** A folder with 300 files of 5 bytes, and one of another kind. */
const folder = Effect.map(TemporaryFile.make, (file) => {
  const cwd = dirname(file)
  mkdirSync(join(cwd, "data/below"), { recursive: true })
  for (let index = 0; index < 300; index++) writeFileSync(join(cwd, `data/below/${index}.txt`), "12345")
  writeFileSync(join(cwd, "data/a.json"), "{}")
  return cwd
})

const inventory = { ".json": { files: 1, bytes: 2 }, ".txt": { files: 300, bytes: 1500 } }

const call = (url: string, init: RequestInit = {}) =>
  Effect.promise(() =>
    fetch(url, init).then(async (response) => ({ status: response.status, json: await response.json() }))
  )

const member = (value: unknown, name: string) => (Predicate.isRecord(value) ? value[name] : undefined)

const isEnd = ({ data, name }: StreamClient.StreamEvent) => name === "task" && JSON.parse(data).status !== "running"

/** Of the frames that have one: the number behind the epoch. */
const numbers = (client: StreamClient.StreamClient) =>
  client.events().flatMap(({ data }) => {
    const { cursor } = JSON.parse(data)
    return cursor === undefined ? [] : [Number(String(cursor).split(".")[1])]
  })

describe("docs/examples/inventory", () => {
  it.scopedLive("tells two browsers of an import, and one that comes later of its result, also after a restart", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const env = { FOLDER: "data", PORT: "0", VERSION: "2.0.0" }
      const browser = (url: string, requestId: string) =>
        StreamClient.open(`${url}/sse/inventory?request_id=${requestId}`)
      const snapshot = (client: StreamClient.StreamClient) =>
        Effect.map(client.named("snapshot"), ({ data }) => JSON.parse(data))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const url = yield* ExampleProcess.start("inventory/main.ts", { cwd, env, signal: "SIGTERM" })
          const both = [yield* browser(url, "one"), yield* browser(url, "two")]
          for (const client of both) yield* snapshot(client)
          const { json, status } = yield* call(`${url}/api/imports`, { method: "POST" })
          assert.equal(status, 202)
          const task = member(json, "task")
          for (const client of both) {
            assert.deepEqual(JSON.parse((yield* client.find(isEnd)).data).status, "completed")
            assert.equal((yield* client.named("version")).data, '{"version":"2.0.0"}')
            assert.deepEqual(JSON.parse((yield* client.named("retained")).data).data, inventory)
            assert.deepEqual(
              numbers(client),
              numbers(client).map((_, index) => index)
            )
          }
          assert.equal(member((yield* call(`${url}/api/tasks/${task}`)).json, "status"), "completed")
          const later = yield* snapshot(yield* browser(url, "three"))
          assert.deepEqual(later.retained, { inventory })
          assert.deepEqual(
            later.tasks.map(({ id }: { readonly id: string }) => id),
            [task]
          )
        })
      )
      const url = yield* ExampleProcess.start("inventory/main.ts", { cwd, env, signal: "SIGTERM" })
      assert.deepEqual((yield* snapshot(yield* browser(url, "one"))).retained, { inventory })
    })
  )
})
