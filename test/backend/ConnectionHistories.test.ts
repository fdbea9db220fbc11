import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Layer, Logger, TestClock, TestContext } from "effect"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as ConnectionRooms from "./ConnectionRooms.ts"

type Step =
  | { readonly _tag: "Connect" | "Offer"; readonly id: string }
  /** Of one of the connects so far; `token` above them: of one that is still to come. */
  | { readonly _tag: "Disconnect"; readonly token: number }
  | {
      readonly _tag: "Fate"
      readonly token: number
      readonly fate: "takes" | "slow" | "late 404" | "unreachable" | "dies"
    }
  | { readonly _tag: "Broadcast" | "Release" | "Settle" | "Relearn" }

const constant = FastCheck.constant
const id = FastCheck.constantFrom("R0", "R1", "R2")
const token = FastCheck.nat(8)

const step: FastCheck.Arbitrary<Step> = FastCheck.oneof(
  {
    weight: 4,
    arbitrary: FastCheck.record({ _tag: FastCheck.constantFrom("Connect" as const, "Offer" as const), id })
  },
  { weight: 1, arbitrary: FastCheck.record({ _tag: constant("Disconnect" as const), token }) },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      _tag: constant("Fate" as const),
      token,
      fate: FastCheck.constantFrom(
        "takes" as const,
        "slow" as const,
        "late 404" as const,
        "unreachable" as const,
        "dies" as const
      )
    })
  },
  {
    weight: 3,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constantFrom("Broadcast" as const, "Release" as const, "Settle" as const, "Relearn" as const)
    })
  }
)

const maxSends = 3

const liveThrough = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const { gateway, manager } = yield* ConnectionRooms.make({ maxSends, patience: ConnectionRooms.patience })
    const connects: Array<{ readonly id: string; readonly token: string }> = []
    const waiting: Array<() => void> = []
    /** Calls of the gateway when a token was replaced. */
    const replacedAt = new Map<string, number>()
    let offered = 0
    let inFlight = 0
    let most = 0

    const released = Effect.async<void>((resume) => {
      waiting.push(() => resume(Effect.void))
    })
    const release = () => {
      for (const one of waiting.splice(0)) one()
    }
    const counted = (fate: TestGateway.Fate): TestGateway.Fate =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          inFlight += 1
          most = Math.max(most, inFlight)
        }),
        () => fate,
        () => Effect.sync(() => (inFlight -= 1))
      )
    const fates = {
      takes: Effect.yieldNow(),
      slow: released,
      "late 404": Effect.zipRight(released, TestGateway.gone),
      unreachable: TestGateway.unreachable,
      dies: Effect.die("TestGateway")
    }
    // Closes go beside the bound, so that what counts them would count too much.
    const meets = (token: string, fate: keyof typeof fates) =>
      gateway.fate(
        token,
        Effect.suspend(() => (gateway.calls().at(-1)?.close ? fates[fate] : counted(fates[fate])))
      )
    const event = () => {
      offered += 1
      return { name: "e", data: String(offered) }
    }

    const happen = (what: Step): Effect.Effect<unknown, unknown> => {
      switch (what._tag) {
        case "Connect":
          return Effect.gen(function* () {
            const token = `T${connects.length}`
            const former = connects.filter((one) => one.id === what.id)
            connects.push({ id: what.id, token })
            yield* manager.connected({ requestId: what.id, token, url: undefined, subject: token })
            if (manager.find(what.id)?.subject !== token) return
            for (const one of former) if (!replacedAt.has(one.token)) replacedAt.set(one.token, gateway.calls().length)
          })
        case "Offer":
          return Effect.sync(() => manager.find(what.id)?.offer(event()))
        case "Disconnect":
          return manager.disconnected(`T${what.token}`)
        case "Fate":
          return Effect.sync(() => meets(`T${what.token}`, what.fate))
        case "Broadcast":
          return manager.broadcast(event())
        case "Release":
          return Effect.sync(release)
        case "Settle":
          return settled
        case "Relearn":
          return Effect.suspend(() => {
            gateway.isOpen(connects.map(({ id, token }) => ({ token, requestId: id })))
            return manager.relearn
          })
      }
    }

    for (const what of steps) {
      yield* happen(what)
      const open = manager.all().map(({ requestId }) => requestId)
      assert.equal(new Set(open).size, open.length, "an id twice")
      for (const requestId of open) assert.isDefined(manager.find(requestId))
    }

    for (const { token } of connects) meets(token, "takes")
    for (let turn = 0; turn < 4; turn += 1) {
      release()
      yield* settled
      yield* TestClock.adjust("6 seconds")
    }
    yield* manager.settled
    assert.isAtMost(most, maxSends)

    const sends = gateway.calls().map((call, index) => ({ ...call, index }))
    for (const { token } of connects) {
      const own = sends.filter((call) => call.token === token && call.event !== undefined)
      const order = own.map((call) => Number(call.event?.data))
      assert.deepEqual(
        order,
        Array.from(new Set(order)).sort((a, b) => a - b),
        "the order of the offers, each once"
      )
      const end = replacedAt.get(token)
      if (end !== undefined)
        assert.isTrue(
          own.every(({ index }) => index < end),
          `${token} was sent to after its end`
        )
    }

    const open = manager.all()
    for (const { requestId } of open) assert.isTrue(yield* manager.send(requestId, event()), "no sender is stuck")
    const ended = yield* Effect.forEach(connects, ({ token }) => manager.disconnected(token))
    assert.lengthOf(ended.filter(Boolean), open.length, "each id has one token, and each token its id")
    assert.deepEqual(manager.all(), [])
  })

const quiet = Layer.merge(TestContext.TestContext, Logger.remove(Logger.defaultLogger))

describe("whatever connects, ends and is sent at once", () => {
  it.live(
    "each id has one token, nobody is served after being replaced, and the order of offers is kept (S125, S126, S128)",
    () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(FastCheck.array(step, { minLength: 1, maxLength: 40 }), (steps) =>
            Effect.runPromise(liveThrough(steps).pipe(Effect.scoped, Effect.provide(quiet)))
          ),
          { numRuns: 40 }
        )
      )
  )
})
