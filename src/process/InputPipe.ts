import type { Writable } from "node:stream"
import { Deferred, Effect, Exit, FiberId } from "effect"
import { StdinClosed } from "./ChildProcessError.ts"

/** The standard input of a program. */
export interface InputPipe {
  /**
   * Done when the pipe has taken all of it. Waits for the write before it, also for one whose caller was interrupted: here
   * is never more than one text per caller, however little the program reads.
   */
  readonly write: (text: string) => Effect.Effect<void, StdinClosed>
  /** Drops what was not taken; idempotent. */
  readonly destroy: () => void
}

/** Listens at once: a pipe whose reader has gone must not end the server. */
export const make = (stdin: Writable): InputPipe => {
  const closed = Exit.fail(new StdinClosed())
  let last = Deferred.unsafeMake<void, StdinClosed>(FiberId.none)
  Deferred.unsafeDone(last, Exit.void)
  stdin.on("error", () => {}) // each write is told

  const begin = (text: string) => {
    const written = Deferred.unsafeMake<void, StdinClosed>(FiberId.none)
    last = written
    stdin.write(text, (error) => {
      // Node reports a write that was under way when the pipe was destroyed as one that was done.
      Deferred.unsafeDone(written, error || stdin.destroyed ? closed : Exit.void)
    })
    return Deferred.await(written)
  }

  return {
    write: (text) =>
      Effect.zipRight(
        Effect.suspend(() => Deferred.await(last)),
        Effect.suspend(() => begin(text))
      ),
    destroy: () => {
      stdin.destroy()
    }
  }
}
