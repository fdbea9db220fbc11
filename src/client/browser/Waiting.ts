import type { Timers } from "./Timers.ts"

/** The result of `promise`, unless `signal` comes first: then it is ignored, also when it is a failure. */
export const untilAborted = <A>(signal: AbortSignal, promise: Promise<A>): Promise<A> =>
  new Promise((resolve, reject) => {
    const stop = () => reject(new Error("aborted"))
    if (signal.aborted) stop()
    else signal.addEventListener("abort", stop, { once: true })
    const over = () => signal.removeEventListener("abort", stop)
    promise.then(
      (value) => {
        over()
        resolve(value)
      },
      (failure: unknown) => {
        over()
        reject(failure)
      }
    )
  })

/** Done after so many milliseconds, or when `signal` comes. */
export const sleep = (timers: Timers, millis: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const wake = () => {
      cancel()
      signal.removeEventListener("abort", wake)
      resolve()
    }
    const cancel = timers.after(millis, wake)
    signal.addEventListener("abort", wake, { once: true })
  })

/** A wait that may be made shorter, or be ended, by others. */
export class Pause {
  private readonly timers: Timers
  private cancel: (() => void) | undefined
  private resolve: (() => void) | undefined

  constructor(timers: Timers) {
    this.timers = timers
  }

  get isOn(): boolean {
    return this.resolve !== undefined
  }

  /** Done at `time` (milliseconds since 1970), or when `end` is called. */
  until(time: number): Promise<void> {
    return new Promise((resolve) => {
      this.resolve = resolve
      this.move(time)
    })
  }

  /** Ends at another time. */
  move(time: number): void {
    this.cancel?.()
    this.cancel = this.timers.after(time - this.timers.now(), () => this.end())
  }

  end(): void {
    this.cancel?.()
    const { resolve } = this
    this.cancel = undefined
    this.resolve = undefined
    resolve?.()
  }
}
