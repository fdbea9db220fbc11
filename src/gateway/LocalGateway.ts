import { Array, Deferred, Effect, Either, Layer } from "effect"
import * as Broadcast from "../connection/Broadcast.ts"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import type { BackendEvent } from "../domain/BackendEvent.ts"
import { nameProblem } from "../domain/Event.ts"
import { TokenNotFound, WriteFailed } from "../domain/GatewayError.ts"
import type { SendRequest } from "../domain/SendRequest.ts"
import { InvalidRequest, Overloaded } from "../domain/SessionError.ts"
import * as EventLoop from "../store/EventLoop.ts"
import * as Frames from "../store/Frames.ts"
import { Arrival } from "./Arrival.ts"
import { Gateway, type SendError, type Sent } from "./Gateway.ts"
import { GatewayConnections, type Opened } from "./GatewayConnections.ts"
import type { Profile } from "./Profile.ts"
import * as SendMetrics from "./SendMetrics.ts"

/** Milliseconds after which a client comes back that the backend has closed, where it has control frames. */
const retryClosed = 2000
/** Connections that are written to before others get a turn: about 5 ms. */
const slice = 1000

/** What one send did. `failed`: connections that could not take it, which the metrics alone are told. */
interface Outcome {
  readonly sent: Sent
  readonly failed: number
}

const ok: Outcome = { sent: { status: "ok" }, failed: 0 }
const buffered: Outcome = { sent: { status: "buffered" }, failed: 0 }
const sentOf = ({ sent }: Outcome): Sent => sent
const notFound = Effect.fail(new TokenNotFound())

/** Encoded once, whatever the number of connections. */
interface Encoded {
  readonly text: string
  readonly frames: Frames.Frames
}

/** Its text, once. A caller in this process may give any name; an empty one is none, as over HTTP. */
const frame = (profile: Profile, event: BackendEvent): Either.Either<string, InvalidRequest> => {
  if (!event.name) return profile.frame({ name: undefined, data: event.data })
  const allowed = nameProblem(event.name)
  return allowed === undefined
    ? profile.frame(event)
    : Either.left(new InvalidRequest({ field: "event.name", allowed }))
}

const keep = (arrival: Arrival, encoded: Encoded | undefined, close: boolean): Either.Either<Outcome, SendError> => {
  if (arrival.isClosing) return Either.left(new TokenNotFound())
  if (encoded !== undefined && !arrival.keep(encoded.text)) {
    return Either.left(new Overloaded({ what: "callback window" }))
  }
  if (close) arrival.isClosing = true
  return Either.right(buffered)
}

const write = ({ connection }: Opened, encoded: Encoded | undefined): Either.Either<Outcome, SendError> => {
  switch (encoded === undefined ? "written" : connection.send(encoded.frames)) {
    case "written":
      return Either.right(ok)
    case "full":
      return Either.left(new Overloaded({ what: "connection queue" }))
    case "closed":
      return Either.left(new TokenNotFound())
    case "broken":
      return Either.left(new WriteFailed())
  }
}

/** Those that `take` took. In slices: a send to 10,000 connections takes 50 ms, in which others would have to wait. */
const inSlices = <A>(items: ReadonlyArray<A>, take: (item: A) => boolean): Effect.Effect<ReadonlyArray<A>> =>
  Effect.map(
    Effect.forEach(Array.chunksOf(items, slice), (some, index) =>
      Effect.zipRight(
        index === 0 ? Effect.void : EventLoop.turn,
        Effect.sync(() => some.filter(take))
      )
    ),
    Array.flatten
  )

/** The gateway of this process: sends go straight to the connections. */
export const make = (profile: Profile) =>
  Effect.gen(function* () {
    const connections = yield* GatewayConnections
    const streams = yield* ConnectionRegistry
    const clock = yield* Effect.clock
    const metrics = SendMetrics.make()

    /** Finer than milliseconds, in which most sends end, and not moved by a clock that is set. Seconds. */
    const stopwatch = () => {
      const began = clock.unsafeCurrentTimeNanos()
      return () => Number(clock.unsafeCurrentTimeNanos() - began) / 1e9
    }

    const deliver = (entry: Arrival | Opened, encoded: Encoded | undefined, close: boolean) => {
      if (entry instanceof Arrival) return keep(entry, encoded, close)
      const written = write(entry, encoded)
      if (close && Either.isRight(written)) entry.connection.dismiss("server_closed", retryClosed)
      return written
    }

    /** Not before the disconnect is recorded, and not until it is delivered: the backend may hold a lock meanwhile. */
    const closed = (entry: Arrival | Opened) =>
      entry instanceof Arrival ? Effect.void : Deferred.await(entry.recorded)

    const sendToOne = (entry: Arrival | Opened | undefined, encoded: Encoded | undefined, close: boolean) => {
      if (entry === undefined) return notFound
      const delivered = deliver(entry, encoded, close)
      return close && Either.isRight(delivered) ? Effect.zipRight(closed(entry), delivered) : delivered
    }

    const sendToAll = (encoded: Encoded | undefined, close: boolean) =>
      Effect.gen(function* () {
        const entries = connections.all()
        const taken = yield* inSlices(entries, (entry) => Either.isRight(deliver(entry, encoded, close)))
        if (close) yield* Effect.forEach(taken, closed, { concurrency: "unbounded", discard: true })
        const sent: Sent = { status: "ok", connections: taken.length }
        return { sent, failed: entries.length - taken.length }
      })

    const dispatch = ({ close, to }: SendRequest, encoded: Encoded | undefined): Effect.Effect<Outcome, SendError> => {
      switch (to._tag) {
        case "Token":
          return sendToOne(connections.find(to.token), encoded, close)
        case "RequestId":
          return sendToOne(connections.findByRequestId(to.requestId), encoded, close)
        case "All":
          return sendToAll(encoded, close)
      }
    }

    const send = (request: SendRequest): Effect.Effect<Sent, SendError> => {
      const { event, service } = request
      if (event === undefined) return Effect.map(dispatch(request, undefined), sentOf)
      const text = frame(profile, event)
      if (Either.isLeft(text)) return Effect.fail(text.left)
      const seconds = stopwatch()
      const count = (success: number, error: number) =>
        Effect.sync(() => metrics.count(service, success, error, seconds()))
      return dispatch(request, { text: text.right, frames: Frames.fromText(text.right) }).pipe(
        Effect.tapBoth({
          onSuccess: ({ failed, sent }) => count(sent.connections ?? 1, failed),
          onFailure: () => count(0, 1)
        }),
        Effect.map(sentOf)
      )
    }

    const broadcast = (event: BackendEvent, service?: string) =>
      Effect.gen(function* () {
        const seconds = stopwatch()
        const bare = yield* frame(profile, event)
        const at = clock.unsafeCurrentTimeMillis()
        const encoded = Broadcast.encode({ ...event, name: event.name || undefined }, bare, at)
        // Before hello nothing may stand on a stream whose session is still loaded.
        const open = streams.list().filter(({ hasBegun }) => hasBegun)
        const arriving = connections.all().filter((entry) => entry instanceof Arrival)
        const kept = arriving.filter((arrival) => !arrival.isClosing && arrival.keep(bare)).length
        const taken = (yield* inSlices(open, (connection) => Broadcast.send(connection, encoded))).length + kept
        metrics.count(service, taken, open.length + arriving.length - taken, seconds())
        return taken
      })

    return Gateway.of({
      send: (request) => Effect.suspend(() => send(request)),
      close: (to) => Effect.suspend(() => send({ to, event: undefined, close: true, service: undefined })),
      broadcast,
      open: Effect.sync(() => streams.list().map(({ token }) => ({ token, requestId: connections.requestId(token) })))
    })
  })

export const layer = (profile: Profile): Layer.Layer<Gateway, never, ConnectionRegistry | GatewayConnections> =>
  Layer.effect(Gateway, make(profile))
