import { Clock, Context, Effect, Layer } from "effect"
import {
  BackendRefused,
  BackendTimeout,
  type CallbackError,
  Callbacks,
  type DisconnectCall
} from "../../src/callback/Callbacks.ts"
import * as DisconnectOutbox from "../../src/callback/DisconnectOutbox.ts"
import type { DisconnectReason } from "../../src/domain/Connection.ts"
import * as JournalWriter from "../../src/store/JournalWriter.ts"
import * as CapturedLog from "../session/CapturedLog.ts"
import * as FaultyJournal from "../store/FaultyJournal.ts"
import { settled, settledUntil } from "../store/StoreWriterTurn.ts"

/** `nth` counts the calls for this token: 1, 2, 3 … */
export type Script = (call: DisconnectCall, nth: number) => Effect.Effect<void, CallbackError>

export interface Heard extends DisconnectCall {
  /** Milliseconds of the test's clock. */
  readonly at: number
}

/** The backend of a test. It hears of every call, and accepts all until its script says otherwise. */
export class Backend {
  readonly calls: Array<Heard> = []
  /** Tokens of which it has said yes to a disconnect, in that order. */
  readonly told: Array<string> = []
  script: Script = () => Effect.void

  readonly of = (token: string): ReadonlyArray<Heard> => this.calls.filter((call) => call.token === token)

  /** Milliseconds between one call for this token and the next. */
  readonly delays = (token: string): ReadonlyArray<number> => {
    const times = this.of(token).map(({ at }) => at)
    return times.slice(1).map((at, index) => at - (times[index] ?? at))
  }

  readonly disconnect = (call: DisconnectCall): Effect.Effect<void, CallbackError> =>
    Effect.gen(this, function* () {
      this.calls.push({ ...call, at: yield* Clock.currentTimeMillis })
      yield* this.script(call, this.of(call.token).length)
      this.told.push(call.token)
    })
}

export const refuses: Script = () => Effect.fail(new BackendRefused({ status: 503, reason: "Service Unavailable" }))
/** No answer, until the call is cut off. */
export const hangs: Script = () => Effect.zipRight(Effect.sleep("5 seconds"), new BackendTimeout())

class TestBackend extends Context.Tag("test/Backend")<TestBackend, Backend>() {}

export interface Options extends Partial<DisconnectOutbox.Options> {
  readonly backend?: Backend
  /** What a former server has left. */
  readonly journal?: FaultyJournal.Journal
  /** Called before the outbox starts. */
  readonly prepare?: (faulty: typeof FaultyJournal.FaultyJournal.Service) => void
}

/** The outbox, over a journal in memory that can be told to fail and a backend that does as it is told. */
export const layer = ({ backend = new Backend(), journal, prepare = () => {}, ...options }: Options = {}) =>
  DisconnectOutbox.layer({ ...DisconnectOutbox.defaults, ...options }).pipe(
    Layer.provideMerge(JournalWriter.layer),
    Layer.provideMerge(
      Layer.succeed(Callbacks, {
        connect: () => Effect.die("not of this room"),
        message: () => Effect.die("not of this room"),
        disconnect: backend.disconnect
      })
    ),
    Layer.provideMerge(Layer.succeed(TestBackend, backend)),
    Layer.provideMerge(
      Layer.tap(FaultyJournal.layer(journal), (context) =>
        Effect.sync(() => prepare(Context.get(context, FaultyJournal.FaultyJournal)))
      )
    ),
    Layer.provideMerge(CapturedLog.layer)
  )

export const rooms = Effect.all({
  backend: TestBackend,
  faulty: FaultyJournal.FaultyJournal,
  log: CapturedLog.CapturedLog,
  outbox: DisconnectOutbox.DisconnectOutbox,
  writer: JournalWriter.JournalWriter
})

export const callOf = (token: string, reason: DisconnectReason = "client_closed"): DisconnectCall => ({
  token,
  request: `{"url":"/sse/${token}","headers":{}}`,
  reason
})

/** The whole life of a connection: journaled, accepted, ended, recorded. */
export const end = (token: string, reason?: DisconnectReason) =>
  Effect.flatMap(rooms, ({ outbox, writer }) => {
    const call = callOf(token, reason)
    return Effect.zipRight(
      Effect.orDie(writer.record({ _tag: "Connect", token, request: call.request })),
      outbox.owe(call)
    )
  })

/** Until `isSo`, and nothing more comes of it in this moment. Dies when it never is. */
export const until = (isSo: () => boolean, what: string) =>
  Effect.zipRight(
    Effect.filterOrDieMessage(settledUntil(isSo), (happened) => happened, what),
    settled
  )

export const untilCalls = (count: number) =>
  Effect.flatMap(rooms, ({ backend }) => until(() => backend.calls.length >= count, `there are not ${count} calls`))
