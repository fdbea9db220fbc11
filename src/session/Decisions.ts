/**
 * What moves a session, as pure decisions: each gives the events and the standing that are committed together, so that the
 * state in the log, in the store and in memory cannot differ (design §5).
 */
import { Either } from "effect"
import type { NewEvent } from "../domain/Event.ts"
import { isAway, isLegal, type Mover } from "../domain/Lifecycle.ts"
import type { SessionState } from "../domain/Session.ts"
import { InvalidTransition, SessionEnded, SessionNotFound } from "../domain/SessionError.ts"
import * as SessionEvent from "../protocol/SessionEvent.ts"
import type { AcceptedMessage } from "../store/Message.ts"
import type { Decide, Decision, Standing } from "./Append.ts"

type Path = Either.Either<{ readonly events: ReadonlyArray<NewEvent>; readonly state: SessionState }, InvalidTransition>

/** Through all of `states`, one event each; the present one again is no event. */
const through = (standing: Standing, states: ReadonlyArray<SessionState>, reason?: string, by?: Mover): Path => {
  const events: Array<NewEvent> = []
  let from = standing.state
  for (const to of states) {
    if (to === from) continue
    if (!isLegal(from, to, by)) return Either.left(new InvalidTransition({ session: standing.session, from, to }))
    events.push(SessionEvent.state({ state: to, from, ...(reason === undefined ? {} : { reason }) }))
    from = to
  }
  return Either.right({ events, state: from })
}

/** The way to the end from wherever the session is. */
const toEnd = (standing: Standing): ReadonlyArray<SessionState> =>
  standing.state === "ENDED" ? [] : ["CLOSING", "ENDED"]

/** `told` comes before the moves. No process works for what has ended. */
const moved = (path: Path, told: ReadonlyArray<NewEvent>, process: string | null) =>
  Either.map(
    path,
    ({ events, state }): Decision => ({
      events: [...told, ...events],
      standing: { state, process: state === "ENDED" ? null : process }
    })
  )

const settling = <E>(decided: Either.Either<Decision, E>, settled: ReadonlyArray<string>) =>
  Either.map(decided, (decision): Decision => ({ ...decision, settled }))

const unmoved = (standing: Standing, events: ReadonlyArray<NewEvent>) =>
  Either.right<Decision>({ events, standing: { state: standing.state, process: standing.process } })

const ended = (standing: Standing) => Either.left(new SessionEnded({ session: standing.session }))

/** Anyone may ask for it, of a session that exists. `told` comes before it, and settles messages. */
export const move =
  (
    to: SessionState,
    reason: string | undefined,
    told: ReadonlyArray<NewEvent> = [],
    settled: ReadonlyArray<string> = []
  ): Decide =>
  (standing) => {
    if (!standing.exists) return Either.left(new SessionNotFound({ session: standing.session }))
    if (standing.state === to) return unmoved(standing, [])
    return settling(moved(through(standing, [to], reason), told, standing.process), settled)
  }

/** From `from` only: who is elsewhere meanwhile stays there. */
export const moveFrom =
  (from: SessionState, to: SessionState, reason: string): Decide =>
  (standing) =>
    standing.state === from && standing.exists
      ? moved(through(standing, [to], reason), [], standing.process)
      : unmoved(standing, [])

/** A process is about to work for the session, which it creates when there is none; one that closes cannot have one. */
export const attach =
  (epoch: string, process: string): Decide =>
  (standing) => {
    const { session, state } = standing
    if (standing.epoch !== epoch) return ended(standing)
    if (state === "CLOSING" || state === "ENDED") {
      return Either.left(new InvalidTransition({ session, from: state, to: "STARTING" }))
    }
    const told = SessionEvent.process({ event: "starting" })
    return moved(through(standing, state === "CREATED" ? ["STARTING"] : []), [told], process)
  }

/** It works: the session is ACTIVE, unless it was asked to close meanwhile. */
export const started =
  (epoch: string, process: string, title: string | undefined): Decide =>
  (standing) => {
    if (standing.epoch !== epoch || standing.state === "ENDED") return ended(standing)
    const told = SessionEvent.process({ event: "started", ...(title === undefined ? {} : { title }) })
    const isClosing = standing.state === "CLOSING"
    return moved(through(standing, isClosing ? [] : ["ACTIVE"]), [told], process)
  }

/** Events of a process, of the log that it works for. */
export const emit =
  (epoch: string, events: ReadonlyArray<NewEvent>, settled: ReadonlyArray<string> = []): Decide =>
  (standing) =>
    standing.epoch !== epoch || standing.state === "ENDED"
      ? ended(standing)
      : settling(unmoved(standing, events), settled)

/** What the server has to say in a log. */
export const say =
  (epoch: string, events: ReadonlyArray<NewEvent>, settled: ReadonlyArray<string>): Decide =>
  (standing) =>
    standing.state === "ENDED" || standing.epoch !== epoch
      ? ended(standing)
      : settling(unmoved(standing, events), settled)

/** A stop was accepted. */
export const stopping =
  (epoch: string, reason: string): Decide =>
  (standing) => {
    if (standing.epoch !== epoch || standing.state === "ENDED") return ended(standing)
    const told = SessionEvent.process({ event: "stopping", reason })
    return moved(through(standing, ["CLOSING"], reason), [told], standing.process)
  }

/** The process is no more, and its session ends with it. */
export const end =
  (epoch: string, reason: string, told: ReadonlyArray<NewEvent>, settled: ReadonlyArray<string>): Decide =>
  (standing) =>
    standing.epoch !== epoch || standing.state === "ENDED"
      ? ended(standing)
      : settling(moved(through(standing, toEnd(standing), reason), told, null), settled)

/** The process may come back: its session waits for it, unless it is closing. */
export const letGo =
  (epoch: string, reason: string, told: ReadonlyArray<NewEvent>, settled: ReadonlyArray<string>): Decide =>
  (standing) => {
    if (standing.epoch !== epoch || standing.state === "ENDED") return ended(standing)
    const path = standing.state === "CLOSING" ? ["ENDED" as const] : ["DETACHED" as const]
    return settling(moved(through(standing, path, reason, "recovery"), told, null), settled)
  }

/** The server that ran the process died: whatever state the session was in, it is moved on. */
export const crashed =
  (isResumable: boolean, told: ReadonlyArray<NewEvent>, settled: ReadonlyArray<string>): Decide =>
  (standing) => {
    const { state } = standing
    if (state === "ENDED") return ended(standing)
    const to = isResumable && state !== "CLOSING" ? "DETACHED" : "ENDED"
    return settling(moved(through(standing, [to], "crashed", "recovery"), told, null), settled)
  }

/** A message, after what is told with it; who was away is back by it. */
export const accept =
  (accepted: Omit<AcceptedMessage, "seq">, told: ReadonlyArray<SessionEvent.Process> = []): Decide =>
  (standing) => {
    if (standing.state === "ENDED") return ended(standing)
    const back = through(standing, isAway(standing.state) ? ["ACTIVE"] : [], "message")
    return Either.map(moved(back, told.map(SessionEvent.process), standing.process), ({ events, standing }) => ({
      events: [...events, SessionEvent.message(accepted.id, accepted.data, accepted.from)],
      standing,
      message: { at: events.length, accepted }
    }))
  }
