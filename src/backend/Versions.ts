import { Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { ShuttingDown } from "../domain/GatewayError.ts"
import { InvalidRequest } from "../domain/SessionError.ts"
import { unknown, Version } from "../domain/Version.ts"
import { type BackendConnection, ConnectionManager } from "./ConnectionManager.ts"
import { Shutdown } from "./Shutdown.ts"

export interface Options {
  /** What is deployed now: asked at a connect for whose request id nothing is pending, and given 2 seconds. */
  readonly current: Effect.Effect<typeof Version.Encoded, unknown>
}

/** The version that a client is told on each connect (design §7): what is pending for its request id, else the current one. */
export class Versions extends Context.Tag("sluice/backend/Versions")<
  Versions,
  {
    /**
     * Pending for this request id from now on, in place of what was; if it is connected it is told at once. Delivery clears
     * nothing: every later connect is told again.
     */
    readonly queue: (
      requestId: string,
      version: typeof Version.Encoded
    ) => Effect.Effect<void, InvalidRequest | ShuttingDown>
    readonly pending: (requestId: string) => Option.Option<Version>
  }
>() {}

const eventName = "version"
/** Labels the metrics. */
const service = "version"
const patience = Duration.seconds(2)

/** Request ids for which one is pending; of more, the one that was set longest ago is fetched at its connect again. */
const maxPending = 10_000

const decode = (given: typeof Version.Encoded): Effect.Effect<Version, InvalidRequest> =>
  Effect.mapError(
    Schema.decodeUnknown(Version)(given),
    () =>
      new InvalidRequest({
        field: "version",
        allowed: "must be { version: 1 to 256 characters, changelog?: at most 65,536 characters }"
      })
  )

export const make = ({ current }: Options) =>
  Effect.gen(function* () {
    const manager = yield* ConnectionManager
    const shutdown = yield* Shutdown
    const pending = new Map<string, Version>()

    const tell = (connection: BackendConnection, { changelog, version }: Version): void => {
      connection.offer({ name: eventName, data: JSON.stringify({ version, changelog }) }, service)
    }

    const fetched = Effect.flatMap(current, decode).pipe(
      Effect.disconnect,
      Effect.timeoutFail({ duration: patience, onTimeout: () => `no version in ${Duration.format(patience)}` }),
      Effect.catchAllCause((cause) =>
        Effect.as(Effect.logError("the current version could not be fetched", cause), unknown)
      )
    )

    /** What became pending while the current one was fetched has been told already: a client never gets an older one after. */
    const greet = (connection: BackendConnection) =>
      Effect.suspend(() => {
        const known = pending.get(connection.requestId)
        if (known !== undefined) {
          tell(connection, known)
          return Effect.void
        }
        return Effect.map(fetched, (version) => {
          if (!pending.has(connection.requestId)) tell(connection, version)
        })
      })

    yield* manager.observe("versions", greet)

    return Versions.of({
      queue: (requestId, given) =>
        Effect.flatMap(decode(given), (version) => {
          if (shutdown.hasBegun()) return new ShuttingDown()
          pending.delete(requestId)
          pending.set(requestId, version)
          const [oldest] = pending.keys()
          if (pending.size > maxPending && oldest !== undefined) pending.delete(oldest)
          const connection = manager.find(requestId)
          if (connection !== undefined) tell(connection, version)
          return Effect.void
        }),
      pending: (requestId) => Option.fromNullable(pending.get(requestId))
    })
  })

export const layer = (options: Options): Layer.Layer<Versions, never, ConnectionManager | Shutdown> =>
  Layer.scoped(Versions, make(options))
