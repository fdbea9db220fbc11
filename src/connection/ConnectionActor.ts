import { Cause, Effect, Exit, Metric, Option } from "effect"
import type { EndReason } from "../domain/Connection.ts"
import type { StoreError } from "../domain/SessionError.ts"
import * as ControlFrame from "../protocol/ControlFrame.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"
import type { Page } from "../store/EventStore.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import type { Connection } from "./Connection.ts"
import type { LiveSeam } from "./LiveSeam.ts"

/** A read that the store refused is tried again after this. */
const readAgainAfter = "1 second"

/**
 * Writes what was read, unless the seam ended meanwhile; then live, if that was all. `head` is that of the moment when the
 * read began: an empty answer says nothing of what was committed since.
 */
const written = (connection: Connection, seam: LiveSeam, page: Option.Option<Page>, head: number): void => {
  if (!connection.isOpen || seam.mode !== "log") return
  const { epoch } = seam.actor
  // Retention overtook the reader: a hole is never silent (promise 2).
  const first = Option.isSome(page) ? page.value.first : head + 1
  if (first > seam.seq + 1) {
    const { seq } = seam
    const gap = seam.gap({ after: seq, next: first, missed: first - seq - 1, reason: "retention" })
    seam.wrote(epoch, first - 1)
    connection.writeGap(seam, gap)
  }
  if (Option.isSome(page)) connection.writePage(seam, epoch, page.value.last, page.value.frames)
  if (seam.isOver) connection.sessionEnded(seam, "ended")
  else if (seam.goLive()) {
    connection.write(ControlFrame.live({ session: seam.actor.session, cursor: seam.cursor }, connection.vector))
  }
}

/**
 * The fiber of one stream: opens it, then stays parked while it is live; what is slow is done here, one page of the log at
 * a time, each waiting for the socket. It ends when `Connection.finish` was called, is interrupted when the client leaves,
 * and dies of a defect: in each case the socket, the seams and the entry in the registry go with it.
 */
export const run = (
  connection: Connection,
  open: Effect.Effect<void, StoreError>,
  sessions: SessionRegistry["Type"],
  ended: (reason: EndReason) => void
): Effect.Effect<void> => {
  const read = (seam: LiveSeam) => {
    const { head } = seam.actor
    return Effect.catchAll(
      Effect.map(sessions.readPage(seam.actor, seam.seq, connection.form), (page) =>
        written(connection, seam, page, head)
      ),
      (error) =>
        Effect.logWarning("a page of the log could not be read, trying again", error).pipe(
          Effect.zipRight(Metric.increment(Metrics.storeErrors)),
          Effect.zipRight(Effect.sleep(readAgainAfter))
        )
    )
  }

  const turn = Effect.flatMap(
    Effect.suspend(() => connection.park()),
    () => {
      const seam = connection.isOpen ? connection.nextRead() : undefined
      return seam === undefined ? Effect.void : read(seam)
    }
  )

  const live = Effect.whileLoop({ while: () => connection.isOpen, body: () => turn, step: () => {} })

  const opened = Effect.catchAll(open, (error) =>
    Effect.zipRight(
      Effect.logWarning("a stream could not be opened", error),
      Effect.sync(() => connection.dismiss("error", 2000))
    )
  )

  const life = Effect.all([opened, live, Effect.suspend(() => connection.verdict)], { discard: true })

  return Effect.onExit(life, (exit) => {
    const isDefect = Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)
    ended(connection.close(isDefect))
    return isDefect
      ? Effect.zipRight(
          Metric.increment(Metrics.connectionActorFailures),
          Effect.logError("a connection actor died", exit.cause)
        )
      : Effect.void
  })
}
