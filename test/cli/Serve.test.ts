import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as RawSocket from "../http/RawSocket.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as Command from "./Command.ts"

const started = (args: ReadonlyArray<string> = [], env: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const server = yield* Command.start(["serve", "--port", "0", "--store", "memory:", ...args], env)
    const [, url = ""] = yield* server.says(/listening on (http:\/\/127\.0\.0\.1:\d+)\n[\s\S]*from=start\n/)
    return { ...server, url }
  })

/** A request that the server has begun to read and that does not come to its end. */
const neverEnding = (url: string) =>
  Effect.gen(function* () {
    const socket = yield* RawSocket.open(url)
    yield* socket.write(
      RawSocket.head("POST /v1/sessions/a/events HTTP/1.1", ["Content-Length: 100", "Expect: 100-continue"])
    )
    yield* socket.until((text) => text.includes("100 Continue"))
  })

describe("sluice serve", () => {
  it.scopedLive("says with what it runs and where it listens, and stops with 0 when it is told to (S152)", () =>
    Effect.gen(function* () {
      const server = yield* started([], { SLUICE_API_KEY: "hidden-from-all", SLUICE_REPLAY_CAP: "77" })
      yield* server.signal("SIGTERM")
      const { code, err, out } = yield* server.done
      assert.equal(code, 0)
      assert.equal(err, "")
      assert.match(out, /^PORT=0$/m)
      assert.match(out, /^SLUICE_REPLAY_CAP=77$/m)
      assert.match(out, /^SLUICE_API_KEY=<redacted>$/m)
      assert.doesNotMatch(out, /hidden-from-all/)
      const { url } = server
      assert.ok(out.includes(`curl ${url}/v1/sessions/demo/events -H "Authorization: Bearer $SLUICE_API_KEY"`))
      assert.ok(out.includes(`npx sluice tail demo --from start --url ${url}\n`))
      assert.ok(out.includes(`${url}/?session=demo&from=start\n`))
    })
  )

  it.scopedLive("ends at once at a second signal, with 143 or 130, though a request is still in hand", () =>
    Effect.gen(function* () {
      for (const [signal, expected] of [
        ["SIGTERM", 143],
        ["SIGINT", 130]
      ] as const) {
        const server = yield* started()
        const stream = yield* StreamClient.open(`${server.url}/v1/sessions/a/stream`)
        yield* stream.named("sluice.hello")
        yield* neverEnding(server.url)
        yield* server.signal(signal)
        yield* stream.named("sluice.bye")
        yield* server.signal(signal)
        assert.equal((yield* server.done).code, expected)
      }
    })
  )

  it.scopedLive("leaves a data file to the server that has it, and a port: one line, exit codes 2 and 1", () =>
    Effect.gen(function* () {
      const first = yield* ServerProcess.started()
      const port = new URL(first.url).port
      const other = yield* TemporaryFile.make
      const [file, taken, nowhere] = yield* Effect.all(
        [
          Command.run(["serve", "--port", "0", "--store", `sqlite:${first.filename}`]),
          Command.run(["serve", "--port", port, "--store", `sqlite:${other}`]),
          Command.run(["serve", "--port", "0", "--store", `sqlite:${other}/not/there.db`])
        ],
        { concurrency: 3 }
      )
      assert.equal(file.code, 2)
      assert.match(file.err, /^sluice: [^\n]*log\.db [^\n]+\n$/)
      assert.equal(taken.code, 1)
      assert.match(
        taken.err,
        new RegExp(`^sluice: cannot listen on 127\\.0\\.0\\.1:${port}: [^\\n]*EADDRINUSE[^\\n]*\\n$`)
      )
      assert.equal(nowhere.code, 2)
      assert.match(nowhere.err, /^sluice: [^\n]+there\.db [^\n]+\n$/)
      assert.equal(yield* first.stop, 0)
    })
  )
})
