import * as assert from "node:assert/strict"
import { afterEach, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Process } from "../../src/process/Process.ts"
import { assertNoChildren, node, reading, said, sh, turns } from "./Children.ts"

afterEach(assertNoChildren)

/** Reads nothing until it is interrupted; then says how many bytes and lines there were at each end of a line `end`. */
const deaf = `
  let bytes = 0, lines = 0, tail = ""
  process.on("SIGINT", () => process.stdin.on("data", (data) => {
    bytes += data.length
    for (const byte of data) if (byte === 10) lines++
    tail = (tail + data.subarray(-4)).slice(-4)
    if (tail === "end\\n") console.log(bytes + " " + lines)
  }))
  console.log("up")
  setInterval(() => {}, 1000)`

const large = "x".repeat(4 * 1024 * 1024)

const failsClosed = (child: Process) =>
  Effect.map(Effect.flip(child.send(said("text"))), (error) => {
    assert.match(String(error), /StdinClosed: the process takes no messages: its standard input is closed/)
  })

describe("a message", () => {
  it.scopedLive("is a line: text as it is, another value as JSON", () =>
    Effect.gen(function* () {
      const child = yield* sh("exec cat")
      const { next } = yield* reading(child)
      for (const [data, line] of [
        ["hello", "hello"],
        ["", ""],
        ["é😀", "é😀"],
        [{ a: [1, null] }, `{"a":[1,null]}`],
        [null, "null"],
        [1.5, "1.5"]
      ]) {
        yield* child.send(said(data))
        assert.equal(yield* next, line)
      }
    })
  )

  it.scopedLive("is one line of JSON with id, data and sender, where the format is JSON", () =>
    Effect.gen(function* () {
      const child = yield* sh("exec cat >&2", { format: "json" })
      const { next } = yield* reading(child)
      yield* child.send({ id: "m7", data: "a\nb", from: "alice" })
      assert.equal(yield* next, `{"id":"m7","data":"a\\nb","from":"alice"}`)
      yield* child.send({ id: "m8", data: { x: 1 }, from: null })
      assert.equal(yield* next, `{"id":"m8","data":{"x":1},"from":null}`)
    })
  )

  it.scopedLive("is taken only when the pipe has all of it", () =>
    Effect.gen(function* () {
      const child = yield* node(deaf)
      const { next } = yield* reading(child)
      yield* next
      const sent = yield* Effect.fork(child.send(said(`${large}end`)))
      yield* turns(500)
      assert.equal((yield* Fiber.poll(sent))._tag, "None")
      yield* child.interrupt
      yield* Fiber.join(sent)
      assert.equal(yield* next, `${large.length + 4} 1`)
    })
  )

  it.scopedLive("is not begun while the one before it, though given up, is under way", () =>
    Effect.gen(function* () {
      const child = yield* node(deaf)
      const { next } = yield* reading(child)
      yield* next
      for (let message = 0; message < 50; message++) {
        const sent = yield* Effect.fork(child.send(said(large)))
        yield* turns(5)
        yield* Fiber.interrupt(sent)
      }
      yield* child.interrupt
      yield* child.send(said("end"))
      assert.equal(yield* next, `${large.length + 1 + 4} 2`)
    })
  )

  it.scopedLive("fails when it has no JSON text, and the next one is taken", () =>
    Effect.gen(function* () {
      const child = yield* sh("exec cat")
      const { next } = yield* reading(child)
      const deep: unknown = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`)
      assert.match(String(yield* Effect.flip(child.send(said(deep)))), /MessageNotJson: /)
      yield* child.send(said("next"))
      assert.equal(yield* next, "next")
    })
  )
})

describe("a message to a process that takes none", () => {
  it.scopedLive("fails when it has closed its standard input, each time", () =>
    Effect.gen(function* () {
      const child = yield* sh("exec <&-; echo closed; exec sleep 1000")
      yield* (yield* reading(child)).next
      yield* failsClosed(child)
      yield* turns(20)
      yield* failsClosed(child)
    })
  )

  it.scopedLive("fails when it has exited, for a thousand at once too", () =>
    Effect.gen(function* () {
      const child = yield* sh("exit 0")
      yield* child.exit ?? Effect.void
      yield* Effect.all(
        Array.from({ length: 1000 }, () => failsClosed(child)),
        { concurrency: "unbounded" }
      )
    })
  )

  it.scopedLive("fails when it ends while a message is under way, and for whoever waits behind it", () =>
    Effect.gen(function* () {
      const child = yield* node(deaf)
      yield* (yield* reading(child)).next
      const sent = yield* Effect.fork(Effect.flip(child.send(said(large))))
      yield* turns(20)
      const behind = yield* Effect.fork(Effect.flip(child.send(said(large))))
      yield* turns(20)
      yield* child.stop
      assert.match(String(yield* Fiber.join(sent)), /StdinClosed/)
      assert.match(String(yield* Fiber.join(behind)), /StdinClosed/)
    })
  )

  it.scopedLive("fails when its scope closes while the message is under way", () =>
    Effect.gen(function* () {
      const outer = yield* Effect.scope
      const sent = yield* Effect.scoped(
        Effect.gen(function* () {
          const child = yield* node(deaf)
          yield* (yield* reading(child)).next
          const sent = yield* Effect.forkIn(Effect.flip(child.send(said(large))), outer)
          yield* turns(20)
          return sent
        })
      )
      assert.match(String(yield* Fiber.join(sent)), /StdinClosed/)
    })
  )
})
