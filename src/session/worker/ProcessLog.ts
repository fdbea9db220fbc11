import { Effect } from "effect"
import type { NewEvent } from "../../domain/Event.ts"
import type { SessionId } from "../../domain/Session.ts"
import type { AppendError } from "../../domain/SessionError.ts"
import * as SessionEvent from "../../protocol/SessionEvent.ts"
import { EventStore } from "../../store/EventStore.ts"
import type { Appended, Decide } from "../Append.ts"
import * as Decisions from "../Decisions.ts"
import { untilHealed } from "../Temporary.ts"

/** What could not be told yet, in events: the oldest are forgotten above it. */
const maxUntold = 100
/** Events read to see whether an append whose outcome is unknown was stored. */
const maxRead = 4000

/** What one process writes into the log that it works for. */
export interface ProcessLog {
  /** Appends events as they are. What could not be told before comes first. */
  readonly append: (
    events: ReadonlyArray<NewEvent>,
    settled?: ReadonlyArray<string>
  ) => Effect.Effect<Appended, AppendError>
  /** The same, for as long as the log may take it: once, also when the outcome of a try is unknown. */
  readonly put: (events: ReadonlyArray<NewEvent>) => Effect.Effect<void, AppendError>
  /** Never fails and never waits for a store that does not answer: then it is told with what is appended next. */
  readonly tell: (body: SessionEvent.Process, settled?: ReadonlyArray<string>) => Effect.Effect<void>
  /** Takes what could not be told. */
  readonly untold: () => ReadonlyArray<NewEvent>
}

const isSame = (a: NewEvent | undefined, b: NewEvent | undefined): boolean => a?.name === b?.name && a?.data === b?.data

/** The events of one append stand together. */
const isWithin = (log: ReadonlyArray<NewEvent>, appended: ReadonlyArray<NewEvent>): boolean =>
  log.some(
    (_, at) => at + appended.length <= log.length && appended.every((event, index) => isSame(event, log[at + index]))
  )

export const make = (
  session: SessionId,
  epoch: string,
  decide: (session: SessionId, decide: Decide, weight: ReadonlyArray<NewEvent>) => Effect.Effect<Appended, AppendError>
): Effect.Effect<ProcessLog, never, EventStore> =>
  Effect.map(EventStore, (store) => {
    let kept: Array<NewEvent> = []
    /** The last event that is known to be its own. */
    let last = 0

    const untold = (): ReadonlyArray<NewEvent> => {
      const taken = kept
      kept = []
      return taken
    }

    const keep = (events: ReadonlyArray<NewEvent>): void => {
      kept = [...events, ...kept].slice(-maxUntold)
    }

    /** Of an append whose actor died. */
    const wasStored = (events: ReadonlyArray<NewEvent>) =>
      Effect.map(
        store.readEvents(session, { after: last, before: Number.MAX_SAFE_INTEGER, limit: maxRead, order: "asc" }),
        (log) => isWithin(log, events)
      )

    const append: ProcessLog["append"] = (events, settled) =>
      Effect.suspend(() => {
        const before = untold()
        const all = [...before, ...events]
        return decide(session, Decisions.emit(epoch, all, settled), all).pipe(
          Effect.tap((appended) =>
            Effect.sync(() => {
              last = appended.last
            })
          ),
          Effect.tapError(() => Effect.sync(() => keep(before)))
        )
      })

    const put = (events: ReadonlyArray<NewEvent>): Effect.Effect<void, AppendError> => {
      const once = Effect.catchTag(append(events), "SessionInterrupted", (unknown) =>
        Effect.flatMap(wasStored(events), (isStored) => (isStored ? Effect.void : Effect.fail(unknown)))
      )
      return Effect.asVoid(untilHealed(once, "100 millis"))
    }

    const tell: ProcessLog["tell"] = (body, settled) => {
      const event = SessionEvent.process(body)
      return Effect.catchAll(append([event], settled), ({ _tag }) =>
        Effect.sync(() => {
          if (_tag !== "SessionEnded") kept.push(event)
        })
      )
    }

    return { append, put, tell, untold }
  })
