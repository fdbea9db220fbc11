import * as assert from "node:assert/strict"
import { createReadStream } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as BuildLog from "./BuildLog.ts"
import * as Following from "./Following.ts"
import * as Process from "./Process.ts"
import * as Requests from "./Requests.ts"
import * as ServerProcess from "./ServerProcess.ts"
import * as Tail from "./Tail.ts"

const last = "the build is done"

/** What a bare stream brought, and where it told of a gap, the history that it pointed to. */
const addUp = (followed: Following.Followed, log: Effect.Effect.Success<ReturnType<typeof Requests.history>>) => {
  const sum = BuildLog.sum()
  for (const { data, lastId, name } of followed.frames) {
    const { epoch, seq } = Cursor.parse(lastId) ?? Cursor.origin
    if (name === "sluice.gap") {
      for (const event of log.events.slice(sum.count(), seq)) sum.add(epoch, event.seq, event.data)
    } else if (name === "message") {
      sum.add(epoch, seq, data)
    }
  }
  return sum
}

describe("a build log of a quarter of a million lines, piped through sluice append", () => {
  it.scopedLive(
    "is on each watcher once and in order, although the server got kill -9 in its middle (promises 1, 2 and 4)",
    () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started()
        const folder = dirname(server.filename)
        const filename = join(folder, "build.log")
        const lines = BuildLog.write(filename, 250_000)
        assert.ok(lines.length > 250_000, `${lines.length} lines`)

        const tails = yield* Effect.replicateEffect(Tail.make(server, "build", folder), 2)
        const bare = yield* Effect.fork(
          Following.follow(server, "/v1/sessions/build/stream?from=start", ({ data }) => data === last)
        )
        const append = yield* Process.make(["append", "build", "--url", server.url], { cwd: folder })
        createReadStream(filename).pipe(append.child.stdin)
        const [one] = tails
        yield* (one ?? assert.fail()).until(100_000)
        yield* server.kill9
        yield* server.start
        assert.equal(yield* append.ended, 0, append.said())
        assert.match(append.said(), new RegExp(`\\b${lines.length}\\b`), append.said())
        yield* Requests.add(server, "build", { data: last })

        const expected = BuildLog.sumOf([...lines, last])
        const log = yield* Requests.history(server, "build")
        assert.equal(log.head, expected.count())
        for (const tail of tails) {
          yield* tail.until(expected.count())
          assert.equal(tail.sum.hash(), expected.hash())
        }
        const followed = yield* Fiber.join(bare)
        assert.ok(followed.connects > 1)
        const sum = addUp(followed, log)
        assert.equal(sum.count(), expected.count())
        assert.equal(sum.hash(), expected.hash())
        assert.equal(yield* server.stop, 0)
      })
  )
})
