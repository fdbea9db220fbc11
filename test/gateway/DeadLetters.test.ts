import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ConnectionJournal } from "../../src/store/ConnectionJournal.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import * as Call from "../http/Call.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import { make } from "./Gateway.ts"

const tokens = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] as const

/** What an hour of failures leaves behind. */
const givenUp = (filename: string) =>
  Effect.gen(function* () {
    const journal = yield* ConnectionJournal
    for (const [index, token] of tokens.entries()) {
      yield* journal.commit([
        { _tag: "Connect", token, request: `{"url":"/sse/${index}","headers":{"cookie":"secret"}}` },
        { _tag: "Owe", token, reason: "client_closed", at: Date.UTC(2026, 0, 1) },
        { _tag: "GiveUp", token, attempts: 70, problem: "the backend answered 503", at: Date.now() }
      ])
    }
  }).pipe(Effect.provide(SqliteStore.layer({ filename, durability: "process" })), Effect.scoped)

describe("disconnects that were given up", () => {
  // promise 7
  it.scopedLive("are listed without what the client sent, page by page, and delivered once more on request", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      yield* givenUp(filename)
      const gateway = yield* make({ store: { _tag: "Sqlite", filename, durability: "process" } })
      const first = Call.json(yield* gateway.call("/v1/dead-letters?limit=1"))
      const second = Call.json(yield* gateway.call(`/v1/dead-letters?limit=1&after=${String(first["next"])}`))
      const letters = [first, second].flatMap((page) => page["deadLetters"])
      assert.deepEqual(
        letters.map((letter) => ({ ...Object(letter), diedAt: "…" })),
        tokens.map((token) => ({
          token,
          reason: "client_closed",
          attempts: 70,
          problem: "the backend answered 503",
          owedAt: "2026-01-01T00:00:00.000Z",
          diedAt: "…"
        }))
      )
      assert.deepEqual([first["next"], second["next"]], [tokens[0], undefined])

      const retried = yield* gateway.call(`/v1/dead-letters/${tokens[1]}/retry`, { method: "POST" })
      assert.deepEqual([retried.status, Call.json(retried)], [202, { token: tokens[1] }])
      const [call] = yield* gateway.backend.disconnects(1)
      assert.deepEqual(call?.json, {
        action: "disconnect",
        reason: "client_closed",
        token: tokens[1],
        request: { url: "/sse/1", headers: { cookie: "secret" } }
      })
      const unknown = yield* gateway.call("/v1/dead-letters/nobody/retry", { method: "POST" })
      Call.assertError(unknown, 404, "TOKEN_NOT_FOUND")
      const wrong = yield* gateway.call("/v1/dead-letters?limit=0")
      Call.assertError(wrong, 400, "INVALID_REQUEST")
    })
  )
})
