import * as assert from "node:assert/strict"
import { join } from "node:path"
import { afterEach, describe, it } from "@effect/vitest"
import { Effect, Queue, Stream } from "effect"
import { assertNoChildren, node, temporaryFolder, text, turn } from "./Children.ts"

afterEach(assertNoChildren)

const MiB = 1024 * 1024

/** Lines of 64 KiB, written as fast as they are taken. */
const lines = (bytes: number, each = "") => `
  const { writeSync, writeFileSync } = require("node:fs")
  const line = Buffer.alloc(64 * 1024, "x")
  line[line.length - 1] = 10
  for (let at = 0; at < ${bytes}; at += line.length) {
    for (let from = 0; from < line.length; ) from += writeSync(1, line, from)
    ${each}
  }`

describe("a program that writes 1 GiB as fast as it can", () => {
  it.scopedLive("is heard in full, in bounded memory", () =>
    Effect.gen(function* () {
      const child = yield* node(lines(1024 * MiB))
      const before = process.memoryUsage().rss
      let bytes = 0
      let chunks = 0
      let most = 0
      yield* Stream.runForEachChunk(child.output, (events) =>
        Effect.sync(() => {
          for (const { data } of events) bytes += data.length + 1
          if (chunks++ % 64 === 0) most = Math.max(most, process.memoryUsage().rss - before)
        })
      )
      assert.equal(bytes, 1024 * MiB)
      assert.ok(most < 300 * MiB, `${most} bytes`)
    })
  )
})

describe("a reader that pulls nothing", () => {
  it.scopedLive("stops the program, which goes on when it pulls again", () =>
    Effect.gen(function* () {
      const counter = join(yield* temporaryFolder, "written")
      const child = yield* node(lines(64 * MiB, `writeFileSync(${JSON.stringify(counter)}, String(at))`))
      const written = () => Number(text(counter))
      const mayPull = yield* Queue.unbounded<void>()
      let bytes = 0
      const reader = yield* Effect.forkScoped(
        Stream.runForEachChunk(child.output, (events) =>
          Effect.zipRight(
            Effect.sync(() => {
              for (const { data } of events) bytes += data.length + 1
            }),
            bytes < MiB ? Effect.void : Queue.take(mayPull)
          )
        )
      )
      // It writes no more, in as many turns as would have read all of it.
      let last = -1
      let still = 0
      while (still < 2000) {
        yield* turn
        still = written() === last && last > 0 ? still + 1 : 0
        last = written()
      }
      assert.ok(last < bytes + 4 * MiB, `${last} bytes written, ${bytes} read`)
      assert.equal(reader.unsafePoll(), null)
      yield* Queue.offerAll(
        mayPull,
        Array.from({ length: 4096 }, () => undefined)
      )
      yield* reader.await
      assert.equal(bytes, 64 * MiB)
    })
  )
})
