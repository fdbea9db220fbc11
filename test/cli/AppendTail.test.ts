import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Paths from "../../src/protocol/Paths.ts"
import * as Sluice from "../http/Sluice.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as Command from "./Command.ts"

const lines = (first: number, last: number): string =>
  Array.from({ length: last - first + 1 }, (_, index) => `${first + index}\n`).join("")

const Line = Schema.parseJson(
  Schema.Struct({
    session: Schema.String,
    epoch: Schema.String,
    seq: Schema.Int,
    name: Schema.String,
    data: Schema.String
  })
)
const parse = Schema.decodeUnknownSync(Line, { onExcessProperty: "error" })

const eventsOf = (out: string) =>
  out
    .split("\n")
    .slice(0, -1)
    .map((line) => parse(line))

describe("sluice append and sluice tail", () => {
  it.scopedLive(
    "carry a file over a kill -9 of the server in the middle, nothing lost and nothing repeated (promises 1 and 2)",
    () =>
      Effect.gen(function* () {
        const total = 10_000
        const server = yield* ServerProcess.started()
        const tail = yield* Command.start(["tail", "file", "--json", "--from", "start", "--url", server.url])
        const append = yield* Command.start(["append", "file", "--batch", "100", "--url", server.url])
        yield* append.give(lines(1, total))
        yield* append.give(undefined)
        // Any from there on: of a page that comes at once only the end is kept.
        yield* tail.says(/"data":"(?:1[5-9]\d\d|[2-9]\d{3})"/)
        yield* server.kill9
        yield* append.says(/next try in \d/)
        yield* server.start
        const sent = yield* append.done
        assert.equal(sent.code, 0)
        const [, first, last] =
          /10000 events accepted, \w+\.(\d+) \.\. \w+\.(\d+)\n$/.exec(sent.err) ?? assert.fail(sent.err)
        assert.deepEqual([first, last], ["1", String(total)])
        yield* tail.says(new RegExp(`"data":"${total}"`))
        yield* tail.signal("SIGINT")
        const { code, out } = yield* tail.done
        assert.equal(code, 130)
        const events = eventsOf(out)
        assert.deepEqual(
          events.map(({ data, seq }) => [seq, data]),
          Array.from({ length: total }, (_, index) => [index + 1, String(index + 1)])
        )
      })
  )

  it.scopedLive("are live: a line is sent and printed as soon as it comes, also when no further one follows", () =>
    Effect.gen(function* () {
      const { url } = yield* Sluice.make()
      const tail = yield* Command.start(["tail", "live", "--url", url, "--verbose"])
      yield* tail.says(/sluice: live\n/)
      const append = yield* Command.start(["append", "live", "--name", "note", "--url", url])
      yield* append.give("one\n")
      yield* tail.says(/^one$/m)
      yield* append.give("tw")
      yield* append.give("o\n\n\u0001 ünï\r\nhalf a line")
      yield* tail.says(/^\u0001 ünï$/m)
      yield* append.signal("SIGINT")
      const { code, err } = yield* append.done
      assert.equal(code, 130)
      assert.match(err, /^sluice: 4 events accepted, \w+\.1 \.\. \w+\.4\n$/)
      const { out } = yield* Command.run(["tail", "live", "--json", "--from", "start", "--until-live", "--url", url])
      assert.deepEqual(
        eventsOf(out).map(({ data, name }) => [name, data]),
        ["one", "two", "", "\u0001 ünï"].map((data) => ["note", data])
      )
    })
  )

  it.scopedLive("replace invalid UTF-8, take JSON lines with names, and say which line of the input is wrong", () =>
    Effect.gen(function* () {
      const { url } = yield* Sluice.make()
      const append = yield* Command.start(["append", "mixed", "--url", url])
      append.child.stdin.end(Buffer.from([0x61, 0xff, 0x62, 0x0a]))
      assert.equal((yield* append.done).code, 0)
      const json = '{"name":"a","data":{"b":[1]}}\n\n{"data":"x"}\n{"name":"sluice.no","data":1}\n{"data":"y"}\n'
      const refused = yield* Command.run(["append", "mixed", "--ndjson", "--url", url], {}, json)
      assert.equal(refused.code, 1)
      assert.match(
        refused.err,
        /^sluice: 2 events accepted[^\n]+\nsluice: line 4\.?name must not start with sluice\.\n$/
      )
      const long = `short\n${"x".repeat(200)}\nnever\n`
      const tooLong = yield* Command.run(["append", "mixed", "--url", url], { SLUICE_MAX_EVENT_BYTES: "100" }, long)
      assert.match(tooLong.err, /^sluice: 1 event accepted[^\n]+\nsluice: line 2 has more than 100 bytes\n$/)
      const { out } = yield* Command.run(["tail", "mixed", "--from", "start", "--until-live", "--url", url])
      assert.equal(out, 'a\ufffdb\n{"b":[1]}\nx\nshort\n')
    })
  )

  it.scopedLive("get past the replay cap by history, or tell of the gap", () =>
    Effect.gen(function* () {
      const { fill, url } = yield* Sluice.make()
      yield* fill("long", 2500)
      const all = yield* Command.run(["tail", "long", "--from", "start", "--until-live", "--url", url])
      assert.equal(all.out, lines(1, 2500))
      assert.equal(all.err, "")
      const args = ["tail", "long", "--from", "start", "--until-live", "--no-history", "--json", "--url", url]
      const newest = yield* Command.run(args)
      assert.match(newest.err, /^sluice: 2300 events were missed \(cap\): \w+\.1 \.\. \w+\.2300\n$/)
      assert.match(
        newest.out,
        /^\{"gap":\{"session":"long","epoch":"\w+","after":0,"next":2301,"missed":2300,"reason":"cap"\}\}\n/
      )
      const place = yield* Command.run(["tail", "long", "--cursor", "other.7", "--until-live", "--url", url])
      assert.match(place.err, /^sluice: events were missed, nobody knows how many \(epoch\)/)
      assert.equal(place.out, lines(1, 2500))
    })
  )

  it.scopedLive("end with the session, and end with 1 when the server refuses them for good", () =>
    Effect.gen(function* () {
      const { append, call, url } = yield* Sluice.make()
      yield* append("gone", { data: "last" })
      const tail = yield* Command.start(["tail", "gone", "--from", "start", "--url", url])
      yield* tail.says(/^last$/m)
      yield* call(Paths.session("gone"), { method: "DELETE" })
      assert.equal((yield* tail.done).code, 0)

      const locked = yield* ServerProcess.started({ SLUICE_API_KEY: "k1" })
      const [none, wrong, right] = yield* Effect.all(
        [
          Command.run(["tail", "a", "--url", locked.url]),
          Command.run(["append", "a", "--key", "k2", "--url", locked.url], {}, "x\n"),
          Command.run(["append", "a", "--url", locked.url], { SLUICE_API_KEY: "k1" }, "x\n")
        ],
        { concurrency: 2 }
      )
      assert.deepEqual(none, {
        code: 1,
        out: "",
        err: `sluice: ${locked.url} refuses: 401 UNAUTHORIZED: a valid API key is needed\n`
      })
      assert.equal(wrong.code, 1)
      assert.match(wrong.err, /^sluice: 0 events accepted\nsluice: http:\S+ refuses: 401 UNAUTHORIZED/)
      assert.equal(right.code, 0)
    })
  )

  it.scopedLive("do not mind when whoever reads tail's output has enough", () =>
    Effect.gen(function* () {
      const { add, url } = yield* Sluice.make()
      yield* add("pipe", { data: "1" })
      const tail = yield* Command.start(["tail", "pipe", "--from", "start", "--url", url])
      yield* tail.says(/^1$/m)
      tail.child.stdout.destroy()
      yield* add("pipe", { data: "2" })
      assert.deepEqual(yield* Effect.map(tail.done, ({ code, err }) => ({ code, err })), { code: 0, err: "" })
    })
  )
})
