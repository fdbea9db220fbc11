import { Cause, Deferred, Duration, Effect, FiberSet, Option, Schedule } from "effect"
import { GatewayUnavailable, TokenNotFound } from "../domain/GatewayError.ts"
import { Gateway, type SendError } from "../gateway/Gateway.ts"
import type { Outbound, Waiting } from "./Outbound.ts"

export interface Options {
  /** Sends that are on their way at a time, to all connections together. */
  readonly maxSends: number
  /** A send that is not answered in this is given up. */
  readonly patience: Duration.Duration
}

export const defaults: Options = { maxSends: 32, patience: Duration.seconds(5) }

/** Closes that are on their way at a time. */
const maxCloses = 8

/** Whoever replaces a connection brings its request id to the gateway, which closes the former one by itself; this is the net below. */
const replacedAfter = Duration.seconds(1)

/** A close that the gateway does not answer is tried again for ten minutes. */
const again = Schedule.exponential("1 second").pipe(
  Schedule.jittered,
  Schedule.either(Schedule.spaced("30 seconds")),
  Schedule.upTo("10 minutes")
)

/**
 * What waits for each connection is sent by a fiber of its own, one after the other, with a bound on all sends together. `forget` is
 * called when nothing more can reach a connection.
 */
export const make = ({ maxSends, patience }: Options, forget: (outbound: Outbound) => void) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const sends = yield* Effect.makeSemaphore(maxSends)
    const closes = yield* Effect.makeSemaphore(maxCloses)
    const senders = yield* FiberSet.make<void>()
    const forkSender = yield* FiberSet.runtime(senders)<never>()
    const forkCloser = yield* FiberSet.makeRuntime<never>()

    /** Ends in time, whatever the call does; a defect of the gateway's engine is as good as no answer. */
    const limited = <A>(call: Effect.Effect<A, SendError>): Effect.Effect<A, SendError> =>
      call.pipe(
        Effect.disconnect,
        Effect.timeoutFail({
          duration: patience,
          onTimeout: () =>
            new GatewayUnavailable({ problem: `the gateway gave no answer in ${Duration.format(patience)}` })
        }),
        Effect.catchAllCause((cause) =>
          Option.match(Cause.failureOption(cause), {
            onSome: (error) => Effect.fail(error),
            onNone: () => new GatewayUnavailable({ problem: Cause.pretty(cause) })
          })
        )
      )

    /** Interrupted with the scope: the gateway has it open, and the next start of this process learns of it again. */
    const close = ({ identity: { requestId, token } }: Outbound, why: string, after = Duration.zero): void => {
      const closing = closes
        .withPermits(1)(limited(Effect.suspend(() => gateway.close({ _tag: "Token", token }))))
        .pipe(
          Effect.catchTag("TokenNotFound", () => Effect.void),
          Effect.tapError((error) =>
            Effect.logWarning(`a connection of ${requestId} (${why}) is not closed yet`, error)
          ),
          Effect.retry({
            schedule: again,
            while: ({ _tag }) => _tag === "GatewayUnavailable" || _tag === "Overloaded"
          }),
          Effect.ignore
        )
      forkCloser(Duration.toMillis(after) === 0 ? closing : Effect.delay(closing, after))
    }

    /** Nothing is sent to it from now on. */
    const drop = (outbound: Outbound): void => {
      forget(outbound)
      for (const { outcome } of outbound.abandon()) {
        if (outcome !== undefined) Deferred.unsafeDone(outcome, Effect.succeed(false))
      }
    }

    const giveUp = (outbound: Outbound, why: string): void => {
      if (outbound.isGone) return
      drop(outbound)
      close(outbound, why)
    }

    /** What somebody waits for is theirs to hear of; what nobody waits for would be lost in silence. */
    const failed = (outbound: Outbound, error: SendError, isAwaited: boolean): Effect.Effect<void> => {
      const { requestId } = outbound.identity
      switch (error._tag) {
        case "TokenNotFound":
        case "WriteFailed":
          return Effect.sync(() => drop(outbound))
        case "InvalidRequest":
          if (!isAwaited) giveUp(outbound, "it has a hole")
          return Effect.logError(`an event for ${requestId} is none that the gateway takes`, error)
        case "Overloaded":
        case "GatewayUnavailable":
          return Effect.zipRight(
            Effect.sync(() => giveUp(outbound, error._tag)),
            Effect.logError(`an event did not reach ${requestId}, whose connection is closed`, error)
          )
      }
    }

    const deliver = (outbound: Outbound, { event, outcome, service }: Waiting): Effect.Effect<void> => {
      const { token } = outbound.identity
      // Asked at the last moment: it may have been replaced while this waited for its turn.
      const sent = Effect.suspend(() =>
        outbound.isGone
          ? new TokenNotFound()
          : gateway.send({ to: { _tag: "Token", token }, event, service, close: false })
      )
      const told = Effect.as(sends.withPermits(1)(limited(sent)), true).pipe(
        Effect.tapError((error) => failed(outbound, error, outcome !== undefined)),
        Effect.catchTag("TokenNotFound", () => Effect.succeed(false))
      )
      if (outcome === undefined) return Effect.ignore(told)
      const stopped = new GatewayUnavailable({ problem: "this side was stopped before the gateway answered" })
      return Effect.matchEffect(told, {
        onSuccess: (isTaken) => Deferred.succeed(outcome, isTaken),
        onFailure: (error) => Deferred.fail(outcome, error)
      }).pipe(Effect.onInterrupt(() => Deferred.fail(outcome, stopped)))
    }

    /** Ends when nothing waits. */
    const sending = (outbound: Outbound): Effect.Effect<void> =>
      Effect.suspend(() => {
        const next = outbound.shift()
        if (next === undefined) {
          outbound.isSending = false
          return Effect.void
        }
        return Effect.zipRight(deliver(outbound, next), sending(outbound))
      })

    return {
      drop,
      giveUp,

      /** Another one has its request id now. */
      replaced: (outbound: Outbound): void => {
        if (outbound.isGone) return
        drop(outbound)
        close(outbound, "replaced", replacedAfter)
      },

      /** Does not wait. False: it is gone, or could not keep up and is given up. */
      push: (outbound: Outbound, item: Waiting): boolean => {
        if (!outbound.push(item)) {
          giveUp(outbound, "it cannot keep up")
          return false
        }
        if (!outbound.isSending) {
          outbound.isSending = true
          forkSender(sending(outbound))
        }
        return true
      },

      /** Done when all that was pushed so far is sent or given up. */
      settled: FiberSet.awaitEmpty(senders)
    } as const
  })
