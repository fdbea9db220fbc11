import * as ReplayPlan from "../domain/ReplayPlan.ts"
import * as ControlFrame from "../protocol/ControlFrame.ts"
import * as Cursor from "../protocol/Cursor.ts"
import * as VectorCursor from "../protocol/VectorCursor.ts"
import type { SessionActor } from "../session/SessionActor.ts"
import { type Ear, LiveSeam } from "./LiveSeam.ts"
import type { Form } from "../session/LogReader.ts"

/** A session that a connection asks to watch, from where. */
export interface Wish {
  readonly actor: SessionActor
  readonly position: ReplayPlan.Position
}

export interface Opened {
  readonly seam: LiveSeam
  /** What is said before its first event: the gap, if any; that it is live, if it is already. */
  readonly text: string
  readonly hello: ControlFrame.Opened
  /** Where the reader says it is: the id of hello. Cut off before the gap, it returns there and is told again. */
  readonly place: Cursor.Cursor
}

/**
 * Begins to watch: plan, seam and first frames in one synchronous step, so that no commit falls between.
 * Cursors in frames of a stream over several sessions would be taken for a vector, so those frames have no id.
 */
export const begin = (form: Form, { actor, position }: Wish, replayCap: number, ear: Ear): Opened => {
  const { log } = actor
  const plan = ReplayPlan.make(log, position, replayCap)
  const seam = new LiveSeam(actor, plan, ear)
  const id = form === "single" ? Cursor.format(seam.place) : undefined
  const gap = plan.gap === undefined ? "" : ControlFrame.gap(seam.gap(plan.gap), id)
  const live =
    seam.mode === "live" && !seam.isOver ? ControlFrame.live({ session: actor.session, cursor: seam.cursor }) : ""
  return {
    seam,
    text: gap + live,
    place: placeOf(seam, position),
    hello: {
      session: actor.session,
      epoch: log.epoch ?? null,
      cursor: cursorOf(seam, position, plan),
      oldest: log.oldest,
      head: log.head,
      mode: plan.mode
    }
  }
}

/** Once it is said where each session begins: those that are over already have their end. */
export const end = (ear: Ear, opened: ReadonlyArray<Opened>): void => {
  for (const { seam } of opened) if (seam.isOver) ear.sessionEnded(seam, "ended")
}

const placeOf = (seam: LiveSeam, position: ReplayPlan.Position): Cursor.Cursor => {
  if (position._tag === "At") return position.cursor
  return position._tag === "Start" ? { epoch: seam.place.epoch, seq: 0 } : seam.place
}

/** The reader's own place when it is one of this log; else the place where the stream begins. */
const cursorOf = (seam: LiveSeam, position: ReplayPlan.Position, plan: ReplayPlan.ReplayPlan): string | null => {
  if (seam.epoch === undefined) return null
  if (plan.mode === "resumed" && position._tag === "At") {
    return Cursor.format({ epoch: seam.epoch, seq: position.cursor.seq })
  }
  return seam.cursor
}

/** The reader's own place could not be read: it is not where it was, wherever it begins now. */
export const reset = (opened: Opened): Opened => ({ ...opened, hello: { ...opened.hello, mode: "reset" } })

/** The first frame of a stream. What follows it, each session's `text`, is said in the same write. */
export const hello = (form: Form, greeting: ControlFrame.Greeting, opened: ReadonlyArray<Opened>): string => {
  const [only] = opened
  if (form === "single" && only !== undefined) {
    return ControlFrame.hello({ ...greeting, ...only.hello }, Cursor.format(only.place))
  }
  const places = new Map(opened.map(({ place, seam }) => [seam.actor.session, place]))
  const sessions = opened.map(({ hello }) => hello)
  return ControlFrame.hello({ ...greeting, sessions }, VectorCursor.format(places))
}
