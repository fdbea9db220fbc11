/**
 * What every connection is told beside versions, numbered for each: a snapshot first, and then what changes (design §7). Snapshot and
 * subscription are one synchronous step, so that nothing falls between and nothing comes twice.
 *
 * Each event's data begins with `cursor`, `EPOCH.SEQ`: the snapshot has SEQ 0, what follows on the same connection 1, 2, 3 … without
 * holes. A connection that cannot be told something is closed, and begins with another snapshot, under another epoch.
 */
import { Context, Effect, Layer, Option, Random, Schema, type Scope } from "effect"
import { RetainedNotFound } from "../domain/GatewayError.ts"
import type * as Json from "../domain/Json.ts"
import { RetainedKey } from "../domain/RetainedEvent.ts"
import { InvalidRequest, type StoreError } from "../domain/SessionError.ts"
import { RetainedStore } from "../store/RetainedStore.ts"
import { type BackendConnection, ConnectionManager } from "./ConnectionManager.ts"

/** A JSON object. A `cursor` in it is not told: the feed's own is. */
type Body = { readonly [key: string]: Json.Value }

export class Feed extends Context.Tag("sluice/backend/Feed")<
  Feed,
  {
    /** The value under this key from now on: durable on success, in every later snapshot, and told as `retained` now. */
    readonly retain: (key: RetainedKey, data: Json.Value) => Effect.Effect<void, InvalidRequest | StoreError>
    /** It is in no later snapshot, which is told as `released` now. */
    readonly release: (key: RetainedKey) => Effect.Effect<void, RetainedNotFound | StoreError>
    readonly retained: (key: RetainedKey) => Option.Option<Json.Value>
    /** An event of the next number, to all connections or to that of one request id. Waits for nobody. */
    readonly publish: (name: string, body: Body, to?: string) => void
    /** Each snapshot has what `now` says to this request id under `name`, until the scope closes. */
    readonly include: (name: string, now: (requestId: string) => Json.Value) => Effect.Effect<void, never, Scope.Scope>
  }
>() {}

/** Characters of all retained keys and values: a snapshot must fit into what the gateway keeps during a callback (256 KiB). */
const maxRetained = 65_536
/** So that the same store may hold something else. */
const prefix = "retained."
const maxEpoch = 36 ** 8

/** So many subscriptions are not worth a look at which of them are over. */
const minSweep = 64

interface Subscription {
  readonly connection: BackendConnection
  readonly epoch: string
  seq: number
}

/** Written once, whatever the number of connections; `cursor` comes first, and no member of the body can take its place. */
const encode = ({ cursor: _, ...body }: Body) => {
  const text = JSON.stringify(body).slice(1)
  return ({ epoch, seq }: Subscription): string => `{"cursor":"${epoch}.${seq}"${text === "}" ? "" : ","}${text}`
}

type Encoded = ReturnType<typeof encode>

const parse = Schema.decodeUnknownOption(Schema.parseJson())
const decodeKey = Schema.decodeOption(RetainedKey)

export const make = Effect.gen(function* () {
  const manager = yield* ConnectionManager
  const store = yield* RetainedStore
  const clock = yield* Effect.clock
  const oneByOne = yield* Effect.makeSemaphore(1)
  const subscriptions = new Map<string, Subscription>()
  let sweepAt = minSweep
  const parts = new Map<string, (requestId: string) => Json.Value>()
  const values = new Map<RetainedKey, Json.Value>()

  for (const { data, key } of yield* store.all) {
    const value = parse(data)
    const own = key.startsWith(prefix) ? decodeKey(key.slice(prefix.length)) : Option.none()
    // What `retain` wrote is JSON, and the value of JSON text is a `Json.Value` by definition.
    if (Option.isSome(own) && Option.isSome(value)) values.set(own.value, value.value as Json.Value)
  }

  /** False: the connection is over, and so is its subscription. The name labels the metrics, too. */
  const offer = (subscription: Subscription, name: string, encoded: Encoded): boolean =>
    subscription.connection.offer({ name, data: encoded(subscription) }, name)

  const tell = (requestId: string, subscription: Subscription, name: string, encoded: Encoded): void => {
    subscription.seq += 1
    if (!offer(subscription, name, encoded)) subscriptions.delete(requestId)
  }

  const publish = (name: string, body: Body, to?: string): void => {
    const encoded = encode(body)
    if (to === undefined) {
      for (const [requestId, subscription] of Array.from(subscriptions)) tell(requestId, subscription, name, encoded)
      return
    }
    const subscription = subscriptions.get(to)
    if (subscription !== undefined) tell(to, subscription, name, encoded)
  }

  /** Those that ended while nothing was published. */
  const sweep = (): void => {
    if (subscriptions.size < sweepAt) return
    for (const requestId of Array.from(subscriptions.keys())) {
      if (manager.find(requestId) === undefined) subscriptions.delete(requestId)
    }
    sweepAt = Math.max(minSweep, subscriptions.size * 2)
  }

  const subscribe = (connection: BackendConnection) =>
    Effect.map(Random.nextIntBetween(0, maxEpoch), (chance) => {
      const { requestId } = connection
      const subscription = { connection, epoch: chance.toString(36), seq: 0 }
      const included = Array.from(parts, ([name, now]) => [name, now(requestId)] as const)
      const snapshot = { retained: Object.fromEntries(values), ...Object.fromEntries(included) }
      // One that was replaced meanwhile must not take the place of its successor.
      if (offer(subscription, "snapshot", encode(snapshot))) subscriptions.set(requestId, subscription)
      sweep()
    })

  yield* manager.observe("feed", subscribe)

  const fits = (key: RetainedKey, text: string): boolean => {
    const others = Array.from(values).filter(([other]) => other !== key)
    const used = others.reduce((sum, [other, value]) => sum + other.length + JSON.stringify(value).length, 0)
    return used + key.length + text.length <= maxRetained
  }

  const storedKey = (key: RetainedKey): Effect.Effect<RetainedKey, InvalidRequest> =>
    Effect.mapError(
      Schema.decode(RetainedKey)(`${prefix}${key}`),
      () => new InvalidRequest({ field: "key", allowed: `must have at most ${128 - prefix.length} characters` })
    )

  // What is stored is told, also when the caller has left meanwhile: in the order of the commits.
  const committed = <A, E>(change: Effect.Effect<A, E>, then: (stored: A) => void) =>
    oneByOne.withPermits(1)(Effect.uninterruptible(Effect.map(change, then)))

  return Feed.of({
    retain: (key, data) =>
      Effect.gen(function* () {
        const text = JSON.stringify(data)
        // What everybody was told, whatever becomes of the object.
        const value: Json.Value = JSON.parse(text)
        const stored = yield* storedKey(key)
        const at = clock.unsafeCurrentTimeMillis()
        const put = Effect.suspend(() =>
          fits(key, text)
            ? store.put(stored, { name: "retained", data: text }, at)
            : new InvalidRequest({ field: "data", allowed: `must leave all values within ${maxRetained} characters` })
        )
        yield* committed(put, () => {
          values.set(key, value)
          publish("retained", { key, data: value })
        })
      }),

    release: (key) =>
      Effect.gen(function* () {
        const stored = yield* Effect.mapError(storedKey(key), () => new RetainedNotFound({ key }))
        const removed = Effect.filterOrFail(
          store.remove(stored),
          (known) => known,
          () => new RetainedNotFound({ key })
        )
        yield* committed(removed, () => {
          values.delete(key)
          publish("released", { key })
        })
      }),

    retained: (key) => {
      const value = values.get(key)
      return value === undefined ? Option.none() : Option.some(value)
    },

    publish,

    include: (name, now) =>
      Effect.acquireRelease(
        Effect.sync(() => void parts.set(name, now)),
        () => Effect.sync(() => parts.delete(name))
      )
  })
})

export const layer: Layer.Layer<Feed, StoreError, ConnectionManager | RetainedStore> = Layer.scoped(Feed, make)
