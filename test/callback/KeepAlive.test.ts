import * as assert from "node:assert/strict"
import { stat } from "node:fs"
import type { Socket } from "node:net"
import { describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import { call, callbacks, closed, http } from "./RawBackend.ts"

/** Accepts with the number of the request that it is, and counts sockets. */
const counting = (headers: Record<string, string> = {}) =>
  Effect.gen(function* () {
    let requests = 0
    let connections = 0
    const backend = yield* http((_, response) => {
      requests += 1
      response.writeHead(200, headers).end(`{"request_id":"R${requests}"}`)
    })
    backend.server.on("connection", () => {
      connections += 1
    })
    return { ...backend, requests: () => requests, connections: () => connections }
  })

/** The event loop has gone round, so that what was used is idle, and is where it is when a client's request arrives. */
const turn = Effect.async<void>((resume) => {
  setImmediate(() => setImmediate(() => stat(import.meta.dirname, () => resume(Effect.void))))
})

describe("sockets to the backend", () => {
  it.scopedLive("are kept: twenty calls in a row need one", () =>
    Effect.gen(function* () {
      const { connections, url } = yield* counting()
      const { connect } = yield* callbacks(url)
      for (let i = 1; i <= 20; i++) assert.equal((yield* connect(call)).requestId, `R${i}`)
      assert.equal(connections(), 1)
    })
  )

  it.scopedLive("are kept after a refusal, so that a herd of refused clients does not cost one each", () =>
    Effect.gen(function* () {
      const sockets = new Set<Socket>()
      const { url } = yield* http((request, response) => {
        sockets.add(request.socket)
        response.writeHead(401).end("a page that explains it")
      })
      const { connect } = yield* callbacks(url)
      for (let i = 0; i < 10; i++) yield* Effect.flip(connect(call))
      assert.equal(sockets.size, 1)
    })
  )

  const closings: ReadonlyArray<readonly [says: string, close: (socket: Socket) => void]> = [
    ["closed", (socket) => socket.destroy()],
    ["closed on its side", (socket) => socket.end()],
    ["reset", (socket) => socket.resetAndDestroy()]
  ]
  for (const [says, close] of closings) {
    it.scopedLive(`that the backend has ${says} while they were idle fail no call, and nothing is sent twice`, () =>
      Effect.gen(function* () {
        const { connections, requests, sockets, url } = yield* counting()
        const { connect } = yield* callbacks(url)
        const rounds = 50
        for (let i = 1; i <= rounds; i++) {
          assert.equal((yield* connect(call)).requestId, `R${i}`)
          yield* turn
          for (const socket of sockets) close(socket)
        }
        assert.deepEqual([requests(), connections()], [rounds, rounds])
      })
    )
  }

  const waits: ReadonlyArray<readonly [says: string, headers: Record<string, string>]> = [
    ["after a second", {}],
    ["a second before the backend's own time is over", { "Keep-Alive": "timeout=2" }]
  ]
  for (const [says, headers] of waits) {
    it.scopedLive(`are given up by us, ${says}`, () =>
      Effect.gen(function* () {
        const { sockets, url } = yield* counting(headers)
        const { connect } = yield* callbacks(url)
        yield* connect(call)
        const begin = performance.now()
        yield* Effect.forEach([...sockets], closed)
        const took = performance.now() - begin
        assert.ok(took > 800 && took < 3000, `after ${took} ms`)
      })
    )
  }

  it.scopedLive("are closed with the scope, in the middle of a call too", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      backend.onConnect(TestBackend.always(TestBackend.never))
      const scope = yield* Scope.make()
      const { connect } = yield* Scope.extend(callbacks(backend.url), scope)
      const fiber = yield* Effect.fork(Effect.flip(connect(call)))
      const [heard] = yield* backend.connects(1)
      yield* Scope.close(scope, Exit.void)
      assert.equal((yield* Fiber.join(fiber))._tag, "BackendUnavailable")
      yield* heard?.aborted ?? Effect.void
    })
  )
})
