import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { anyText, asLines, asUtf8, fieldText } from "../protocol/Arbitraries.ts"
import * as StandardReader from "../protocol/StandardReader.ts"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

/** Data in, and what a standard reader gets of it. */
const samples: ReadonlyArray<readonly [unknown, string]> = [
  ["plain", "plain"],
  ["a\nb", "a\nb"],
  ["a\rb", "a\nb"],
  ["a\r\nb", "a\nb"],
  ["a\n\nb\r\r\nc\n", "a\n\nb\n\nc\n"],
  ["", ""],
  [" leading", " leading"],
  [":colon", ":colon"],
  ["data: x\n\nevent: forged\ndata: y", "data: x\n\nevent: forged\ndata: y"],
  ["\u2028 \u2029 \u0000 \ufeff", "\u2028 \u2029 \u0000 \ufeff"],
  ["half \ud800 of a pair", "half \ufffd of a pair"],
  ["😀", "😀"],
  [null, "null"],
  [12.5, "12.5"],
  [true, "true"],
  [["x", 1], '["x",1]'],
  [{ text: "a\nb" }, '{"text":"a\\nb"}']
]

const isOwn = ({ name }: { readonly name: string }) => !name.startsWith("sluice.")

describe("frames of one session", () => {
  it.scopedLive("have id, name unless it is message, and one data line per line, byte for byte (S48)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const epoch = yield* sluice.fill("a", 6)
      const client = yield* sluice.watch("a")
      yield* client.named("sluice.live")
      const opening = client.text()
      yield* sluice.add("a", { name: "delta", data: "one\ntwo" })
      yield* sluice.add("a", { data: "no name" })
      yield* sluice.add("a", { name: "message", data: { named: "message" } })
      yield* client.find(({ lastId }) => lastId === `${epoch}.9`)
      assert.equal(
        client.text().slice(opening.length),
        `id: ${epoch}.7\nevent: delta\ndata: one\ndata: two\n\n` +
          `id: ${epoch}.8\ndata: no name\n\n` +
          `id: ${epoch}.9\ndata: {"named":"message"}\n\n`
      )
    })
  )

  it.scopedLive("come back equal from a parser that we did not write, live and replayed alike (S49)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const live = yield* sluice.watch("a")
      yield* live.named("sluice.live")
      yield* sluice.add("a", { events: samples.map(([data]) => ({ name: "sample", data })) })
      const replayed = yield* sluice.watch("a", "from=start")
      yield* replayed.named("sluice.live")
      yield* live.take(2 + samples.length)
      for (const client of [live, replayed]) {
        const { events, retries } = StandardReader.readBytes([client.bytes()])
        const own = events.filter(isOwn)
        assert.deepEqual(
          own.map(({ data }) => data),
          samples.map(([, text]) => text)
        )
        assert.deepEqual(new Set(own.map(({ name }) => name)), new Set(["sample"]))
        assert.deepEqual(
          own.map(({ id }) => id?.split(".")[1]),
          Sluice.range(1, samples.length)
        )
        assert.deepEqual(retries, [2000])
      }
    })
  )

  it.scopedLive("are as many as events were sent, whatever is in their names and data (S50)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const any = fc.record({ name: fieldText.filter((name) => isOwn({ name })), data: anyText })
      const sent = fc.sample(any, 400)
      yield* sluice.add("a", { events: sent })
      const client = yield* sluice.watch("a", "cursor=0.0")
      yield* client.named("sluice.gap")
      yield* client.named("sluice.live")
      const own = StandardReader.readBytes([client.bytes()]).events.filter(isOwn)
      assert.deepEqual(
        own.map(({ data, name }) => ({ name, data })),
        sent.slice(200).map(({ data, name }) => ({ name: asUtf8(name), data: asLines(asUtf8(data)) }))
      )
    })
  )
})

describe("names that no frame may carry", () => {
  for (const name of ["a\nb", "a\rb", "a\u0000b", "\u001f", "sluice.hello", "sluice.", "n".repeat(257)]) {
    it.scopedLive(
      `${JSON.stringify(name.slice(0, 20))} is refused, alone and in a batch, and nothing is stored (S50)`,
      () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make()
          const alone = Call.assertError(yield* sluice.append("a", { name, data: 1 }), 400, "INVALID_REQUEST")
          assert.equal(alone["field"], "name")
          const batch = yield* sluice.append("a", { events: [{ data: 1 }, { name, data: 2 }] })
          assert.equal(Call.assertError(batch, 400, "INVALID_REQUEST")["field"], "events[1].name")
          Call.assertError(yield* sluice.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
        })
    )
  }

  it.scopedLive("but a long one, one of other scripts and one that only looks reserved are carried (S50)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const names = ["n".repeat(256), "naïve 😀", "sluice", "Sluice.hello", "a: b"]
      yield* sluice.add("a", { events: names.map((name) => ({ name, data: "" })) })
      const client = yield* sluice.watch("a", "from=start")
      yield* client.named("sluice.live")
      const own = StandardReader.readBytes([client.bytes()]).events.filter(isOwn)
      assert.deepEqual(
        own.map(({ name }) => name),
        names
      )
    })
  )
})
