import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Random } from "effect"
import * as Following from "./Following.ts"
import * as Producers from "./Producers.ts"
import * as Requests from "./Requests.ts"
import * as ServerProcess from "./ServerProcess.ts"

const rounds = 25
const sessions = ["red", "green", "blue"]
const last = "the last event"

type Log = Effect.Effect.Success<ReturnType<typeof Requests.history>>

/** What a watcher of one session must have seen: each event of its log under its own cursor. */
const asFrames = ({ epoch, events }: Log) => events.map(({ data, seq }) => ({ lastId: `${epoch}.${seq}`, data }))

const assertNoGap = (followed: Following.Followed) => assert.deepEqual(Following.named(followed, "sluice.gap"), [])

const assertSeesAll = (log: Log, followed: Following.Followed) => {
  assertNoGap(followed)
  const seen = followed.frames.filter(Following.isEvent).map(({ data, lastId }) => ({ lastId, data }))
  assert.deepEqual(seen, asFrames(log))
}

const assertSeesAllOf = (logs: ReadonlyMap<string, Log>, followed: Following.Followed) => {
  assertNoGap(followed)
  for (const [session, { epoch, events }] of logs) {
    assert.deepEqual(
      Following.unwrapped(followed, session),
      events.map((event) => ({ session, epoch, ...event }))
    )
  }
}

describe("kill -9 under load", () => {
  it.scopedLive("loses, repeats and moves no acknowledged event, and no watcher notices (promises 1 and 2, S59)", () =>
    Effect.gen(function* () {
      const server = yield* ServerProcess.started({ SLUICE_DURABILITY: "power", SLUICE_REPLAY_CAP: "1000000" })
      assert.match(server.said(), /^SLUICE_DURABILITY=power$/m)
      const epochs = yield* Effect.forEach(sessions, (session) =>
        Effect.map(Requests.add(server, session, { data: "the first event" }), ({ epoch }) => epoch)
      )
      const watched = sessions.flatMap((session) => [session, session])
      const single = yield* Effect.forEach(watched, (session) =>
        Effect.fork(Following.follow(server, `/v1/sessions/${session}/stream?from=start`, ({ data }) => data === last))
      )
      const ended = new Set<string>()
      const several = yield* Effect.fork(
        Following.follow(server, `/v1/stream?from=start&session=${sessions.join("&session=")}`, ({ data }) => {
          if (data.includes(`"data":"${last}"`)) ended.add(/"session":"(\w+)"/.exec(data)?.[1] ?? assert.fail(data))
          return ended.size === sessions.length
        })
      )

      const producers = Producers.make(server, sessions)
      const producing = yield* Effect.forEach([1, 2, 3, 4], (producer) => Effect.fork(producers.run(producer)))
      for (let round = 0; round < rounds; round++) {
        const moment = (yield* Random.nextBoolean) ? "sent" : "acknowledged"
        yield* producers.next(yield* Random.nextIntBetween(1, 60), moment)
        yield* server.kill9
        yield* server.start
      }
      yield* producers.finish
      yield* Fiber.joinAll(producing)
      assert.ok(producers.unanswered.keyed > 0, "no append with a key was cut off")

      // Once more, after all: each key still knows its answer, and nothing is stored a second time.
      for (const append of producers.stored.filter(({ key }) => key !== undefined)) {
        const { data: _, key: __, ...first } = append
        const headers = Producers.keyOf(append)
        const again = yield* Requests.append(server, append.session, Producers.bodyOf(append), { headers })
        assert.equal(again.status, 200, again.text)
        assert.deepEqual(Requests.decodeAppended(again.text), first)
      }

      yield* Effect.forEach(sessions, (session) => Requests.add(server, session, { data: last }))
      const logs = new Map(
        yield* Effect.forEach(sessions, (session) =>
          Effect.map(Requests.history(server, session), (log) => [session, log] as const)
        )
      )
      for (const { epoch, events, head } of logs.values()) {
        assert.deepEqual(
          events.map(({ seq }) => seq),
          Array.from({ length: head }, (_, index) => index + 1)
        )
        assert.ok(epochs.includes(epoch))
      }
      for (const { data, epoch, first, last, session } of producers.stored) {
        const log = logs.get(session) ?? assert.fail(session)
        assert.equal(epoch, log.epoch)
        assert.deepEqual(
          log.events.slice(first - 1, last).map((event) => event.data),
          data
        )
      }
      const all = Array.from(logs.values()).flatMap(({ events }) => events.slice(1, -1).map(({ data }) => data))
      assert.equal(new Set(all).size, all.length, "an event is stored twice")
      for (const data of all) assert.ok(producers.sent.has(data), "an event that nobody sent")

      const followed = yield* Fiber.joinAll(single)
      for (const [index, session] of watched.entries()) {
        const one = followed[index] ?? assert.fail(session)
        assertSeesAll(logs.get(session) ?? assert.fail(session), one)
        assert.ok(one.connects > 1, "a watcher that never came back")
      }
      assertSeesAllOf(logs, yield* Fiber.join(several))
      assert.equal(yield* server.stop, 0)
    }).pipe(Effect.withRandom(Random.make("kill -9")))
  )
})
