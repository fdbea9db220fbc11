import { Effect } from "effect"
import type { Spawned } from "./Spawning.ts"

/** How long what a program left behind may keep its outputs open after its exit. */
const grace = "5 seconds"

/** More than the system keeps of two pipes and we have read ahead, in bytes. */
const heldByPipes = 4 * 1024 * 1024

/**
 * Ends what a program left behind when it exited, so that its output ends: after `grace` its group gets SIGKILL. What the
 * pipes hold by then is read still, for as long as the reader takes. When something that has left the group keeps one
 * open, it is cut off once nothing came for a second, or more than the pipes can have held.
 */
export const end = Effect.fnUntraced(function* ({ exited, output, signal }: Spawned) {
  yield* exited
  yield* Effect.sleep(grace)
  if (output.isClosed()) return
  yield* Effect.ignore(signal("SIGKILL"))
  const most = output.bytes() + heldByPipes
  let before: number | undefined
  // Between two looks a server that was busy has had a turn to read in; after one of them it may not.
  const isOver = Effect.sync(() => {
    const isSilent = output.isAwaited() && output.bytes() === before
    before = output.bytes()
    return isSilent || output.isClosed() || before > most
  })
  yield* Effect.repeat(Effect.delay(isOver, "1 second"), { until: (isOver) => isOver })
  output.destroy()
})
