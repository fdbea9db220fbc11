import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Exit, FastCheck, Fiber, Schedule, TestClock } from "effect"
import { Refused, Unavailable } from "../../../src/client/effect/Exchange.ts"
import type * as SluiceClient from "../../../src/client/effect/SluiceClient.ts"
import { OutboxFull } from "../../../src/client/effect/Turns.ts"
import * as Scripted from "./Scripted.ts"

const { session } = Scripted

/** How a server answers a post. `lost`: it is stored, and the answer is lost; `mute`: nothing comes. */
type Fault = "cut" | "lost" | "mute" | "stale" | 400 | 408 | 409 | 425 | 429 | 503

const lost = Effect.sync(() => undefined)

/** A server that takes 10 ms for each post and answers as scripted, then accepts; what it has is never refused. */
const make = (script: ReadonlyArray<Fault>, options: Partial<SluiceClient.Options> = {}) =>
  Effect.map(
    Effect.suspend(() => {
      const posted: Array<string> = []
      const stored: Array<string> = []
      const flying = { now: 0, most: 0 }
      const answer = (id: string, fault: Fault | undefined): Effect.Effect<Response | undefined> => {
        const isStored = stored.includes(id)
        if (fault === "cut") return lost
        if (fault === "mute") return Effect.never
        if (fault === "stale") return Effect.succeed(Scripted.stale())
        if (typeof fault === "number" && !(isStored && (fault === 400 || fault === 409))) {
          return Effect.succeed(new Response("", { status: fault }))
        }
        if (!isStored) stored.push(id)
        if (fault === "lost") return lost
        return Effect.succeed(Scripted.receipt(id, stored.indexOf(id) + 1))
      }
      const client = Scripted.serving(
        (request) =>
          Effect.suspend(() => {
            const { id } = JSON.parse(Scripted.bodyOf(request))
            const fault = script[posted.push(id) - 1]
            flying.most = Math.max(flying.most, ++flying.now)
            return Effect.zipRight(Effect.sleep("10 millis"), answer(id, fault))
          }).pipe(Effect.ensuring(Effect.sync(() => flying.now--))),
        options
      )
      return Effect.map(client, ({ send }) => ({ send, posted, stored, flying }))
    }),
    ({ send, ...server }) => ({
      ...server,
      /** Begins to send so many, in order. */
      sendAll: (count: number) =>
        Effect.forEach(range(count), (id) => Effect.fork(Effect.exit(send(session, { id, data: id }))))
    })
  )

const range = (count: number) => Array.from({ length: count }, (_, index) => `m${index + 1}`)

const once = Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(1))

const failureOf = (exit: Exit.Exit<unknown, Refused | Unavailable | OutboxFull>) =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : assert.fail(String(exit))

describe("messages", () => {
  it.effect("go in order, one in flight at a time, whatever the first goes through (S114)", () =>
    Effect.gen(function* () {
      const { flying, posted, sendAll, stored } = yield* make(["cut", "lost"])
      const sending = yield* sendAll(10)
      yield* TestClock.adjust("1 minute")
      const exits = yield* Fiber.join(Fiber.all(sending))
      assert.deepEqual(
        exits.map((exit) => (Exit.isSuccess(exit) ? [exit.value.id, exit.value.seq] : assert.fail(String(exit)))),
        range(10).map((id, index) => [id, index + 1])
      )
      assert.deepEqual(posted, ["m1", "m1", ...range(10)])
      assert.deepEqual(stored, range(10))
      assert.equal(flying.most, 1)
    })
  )

  it.effect("do not wait for one that is refused for good, or whose policy has ended (S116)", () =>
    Effect.gen(function* () {
      const { posted, sendAll } = yield* make([400, 503, 503], { retries: once })
      const sending = yield* sendAll(3)
      yield* TestClock.adjust("1 minute")
      const [refused, unavailable, accepted] = yield* Fiber.join(Fiber.all(sending))
      assert.ok(refused && failureOf(refused) instanceof Refused)
      assert.ok(unavailable && failureOf(unavailable) instanceof Unavailable)
      assert.ok(accepted && Exit.isSuccess(accepted))
      assert.deepEqual(posted, ["m1", "m2", "m2", "m3"])
    })
  )

  it.effect("wait by the hundred, none is pushed out, and who sends one more is told (S117)", () =>
    Effect.gen(function* () {
      const { posted, sendAll, stored } = yield* make(Array(20).fill(503))
      const waiting = yield* sendAll(100)
      for (let round = 0; posted.length <= 20; round++) {
        const [more] = yield* sendAll(1)
        assert.ok(more)
        assert.deepEqual(failureOf(yield* Fiber.join(more)), new OutboxFull({ limit: 100 }))
        yield* TestClock.adjust("10 seconds")
        assert.ok(round < 100)
      }
      yield* TestClock.adjust("1 minute")
      for (const exit of yield* Fiber.join(Fiber.all(waiting))) assert.ok(Exit.isSuccess(exit))
      assert.deepEqual(stored, range(100))
      const [last] = yield* sendAll(1)
      yield* TestClock.adjust("10 millis")
      assert.ok(last && Exit.isSuccess(yield* Fiber.join(last)))
    })
  )

  it.effect("that are interrupted in the line are not sent; one on its way is given up, and the next goes", () =>
    Effect.gen(function* () {
      const { flying, posted, sendAll, stored } = yield* make(["mute"])
      const [first, second, third] = yield* sendAll(3)
      assert.ok(first && second && third)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(second)
      assert.deepEqual([posted, flying.now], [["m1"], 1])
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.ok(Exit.isSuccess(yield* Fiber.join(third)))
      assert.deepEqual([posted, stored, flying.now, flying.most], [["m1", "m3"], ["m3"], 0, 1])
    })
  )

  const fault = FastCheck.constantFrom<Array<Fault>>(
    ...(["cut", "lost", "mute", "stale", 400, 408, 409, 425, 429, 503] as const)
  )
  it.effect.prop(
    "are each accepted, refused, failed or still waiting, whatever the server does: none is unaccounted for (S120)",
    {
      script: FastCheck.array(fault, { maxLength: 20 }),
      count: FastCheck.oneof(
        { arbitrary: FastCheck.integer({ min: 1, max: 8 }), weight: 9 },
        { arbitrary: FastCheck.integer({ min: 99, max: 103 }), weight: 1 }
      ),
      ends: FastCheck.boolean()
    },
    ({ count, ends, script }) =>
      Effect.gen(function* () {
        const { flying, posted, sendAll, stored } = yield* make(script, ends ? { retries: once } : {})
        const sending = yield* sendAll(count)
        yield* TestClock.adjust("5 minutes")
        const told = yield* Effect.forEach(sending, (fiber) =>
          Effect.flatten(Fiber.poll(fiber)).pipe(Effect.flatten, Effect.option)
        )
        const fates = told.map((exit) => {
          if (exit._tag === "None") return "waiting"
          return Exit.isSuccess(exit.value) ? exit.value.value.seq : failureOf(exit.value)._tag
        })
        for (const [index, id] of range(count).entries()) {
          const fate = fates[index]
          const place = stored.indexOf(id) + 1
          if (typeof fate === "number") assert.equal(fate, place)
          else if (fate === "Refused" || fate === "OutboxFull") assert.equal(place, 0)
          else if (fate === "Unavailable") assert.ok(ends)
          else assert.ok(fate === "waiting")
          assert.equal(fate === "OutboxFull", index >= 100)
          // One after the other: who waits is behind all that do not.
          if (index > 0 && fates[index - 1] === "waiting") assert.ok(fate === "waiting" || fate === "OutboxFull")
        }
        assert.equal(flying.most, 1)
        const inOrder = (ids: ReadonlyArray<string>) => range(count).filter((id) => ids.includes(id))
        assert.deepEqual(stored, inOrder(stored))
        assert.deepEqual(
          posted.filter((id, index) => id !== posted[index - 1]),
          inOrder(posted)
        )
      }),
    { fastCheck: { numRuns: 12 } }
  )
})
