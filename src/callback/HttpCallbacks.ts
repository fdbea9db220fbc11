import { type Duration, Effect, Layer, Redacted } from "effect"
import * as ConnectAnswer from "../domain/ConnectAnswer.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import * as BackendPool from "./BackendPool.ts"
import { Callbacks } from "./Callbacks.ts"
import * as CallbackSignature from "./CallbackSignature.ts"
import * as ReadAnswer from "./ReadAnswer.ts"

export interface Options {
  /** http or https. A user and password in it are sent as Basic authorisation. */
  readonly url: URL
  /** For head and body of an answer together. */
  readonly timeout: Duration.Duration
  /** Signs each call. */
  readonly secret: Redacted.Redacted | undefined
  /** Sends the secret itself along, for backends that cannot verify a signature. */
  readonly sendSecret: boolean
}

/** A URL has what is not ASCII percent-encoded: the bytes that it stands for. */
const decoded = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

const authorization = ({ password, username }: URL): ReadonlyArray<string> => {
  if (username === "" && password === "") return []
  const credentials = Buffer.from(`${decoded(username)}:${decoded(password)}`, "latin1")
  return ["Authorization", `Basic ${credentials.toString("base64")}`]
}

/** The headers of every call; those of the signature follow. */
const constantHeaders = ({ secret, sendSecret, url }: Options): ReadonlyArray<string> => [
  ...["Content-Type", "application/json"],
  ...["User-Agent", "Sluice"],
  ...authorization(url),
  ...(secret !== undefined && sendSecret ? [CallbackSignature.secretHeader, Redacted.value(secret)] : [])
]

/** At 10 ms an answer these are 25,000 connects a second. */
const connectSockets = 256
/** Of their own: a storm of disconnects, or a backend that hangs on them, holds up no connect; nor does one of messages. */
const disconnectSockets = 128
const messageSockets = 64

export const make = (options: Options) =>
  Effect.gen(function* () {
    const { timeout, url } = options
    const connects = yield* BackendPool.make(url, timeout, { sockets: connectSockets, isPatient: false })
    const disconnects = yield* BackendPool.make(url, timeout, { sockets: disconnectSockets, isPatient: true })
    const messages = yield* BackendPool.make(url, timeout, { sockets: messageSockets, isPatient: true })
    const clock = yield* Effect.clock
    const constant = constantHeaders(options)
    const { secret } = options

    const headers = (body: string): Array<string> => {
      if (secret === undefined) return [...constant]
      const timestamp = String(Math.floor(clock.unsafeCurrentTimeMillis() / 1000))
      const signature = CallbackSignature.sign(secret, timestamp, body)
      return [...constant, CallbackSignature.timestampHeader, timestamp, CallbackSignature.signatureHeader, signature]
    }

    /** Counted by `action`; not when it is interrupted, since then it has no outcome. */
    const post = (action: keyof typeof Metrics.callbackDurations, pool: BackendPool.BackendPool, body: string) =>
      Effect.suspend(() => {
        // Of a clock that nobody sets: durations are never negative.
        const began = clock.unsafeCurrentTimeNanos()
        const timed = Effect.sync(() => {
          const seconds = Number(clock.unsafeCurrentTimeNanos() - began) / 1e9
          Metrics.callbackDurations[action].unsafeUpdate(seconds, [])
        })
        return Effect.tapBoth(pool.post(headers(body), body), {
          onFailure: ({ _tag }) =>
            Effect.zipRight(
              timed,
              Effect.sync(() => Metrics.callbackErrors[_tag].unsafeUpdate(1, []))
            ),
          onSuccess: () => timed
        })
      })

    return Callbacks.of({
      connect: (call) =>
        Effect.flatMap(
          post(
            "connect",
            connects,
            `{"action":"connect","token":${JSON.stringify(call.token)},"request":${call.request}}`
          ),
          (text) =>
            ReadAnswer.told(
              call,
              text === undefined
                ? { answer: ConnectAnswer.nothing, ignored: ["all of it, as it has more than 64 KiB"] }
                : ConnectAnswer.parse(text)
            )
        ),

      disconnect: ({ reason, request, token }) => {
        const name = JSON.stringify(token)
        return Effect.asVoid(
          post(
            "disconnect",
            disconnects,
            `{"action":"disconnect","reason":"${reason}","token":${name},"request":${request}}`
          )
        )
      },

      message: ({ data, id, session, token }) => {
        const named = `"session":"${session}","id":${JSON.stringify(id)},"data":${data},"token":${JSON.stringify(token)}`
        return Effect.asVoid(post("message", messages, `{"action":"message",${named}}`))
      }
    })
  })

export const layer = (options: Options): Layer.Layer<Callbacks> => Layer.scoped(Callbacks, make(options))
