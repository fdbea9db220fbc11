import { Effect, Queue } from "effect"
import * as Changes from "../../http/Changes.ts"
import type { Heard } from "./Heard.ts"

/** What a client did so far. */
export interface Reader {
  readonly heard: ReadonlyArray<Heard>
  /** How long it meant to wait before each of its returns, in milliseconds. */
  readonly waits: ReadonlyArray<number>
  /** Waits until the events are as wanted. */
  readonly until: (isEnough: (heard: ReadonlyArray<Heard>) => boolean) => Effect.Effect<void>
  /** Done when its first stream has ended and it means to come back. */
  readonly left: Effect.Effect<void>
  /** Done when it will not come back. */
  readonly closed: Effect.Effect<void>
}

/** Where a client's driver writes what happens to it. Its waits last as long as `away` does, whatever the client meant. */
export const make = (away: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const heard: Array<Heard> = []
    const waits: Array<number> = []
    const changes = Changes.make()
    const returns = yield* Queue.unbounded<() => void>()
    let isClosed = false
    yield* Queue.take(returns).pipe(
      Effect.flatMap((comeBack) => Effect.zipRight(away, Effect.sync(comeBack))),
      Effect.forever,
      Effect.forkScoped
    )

    const reader: Reader = {
      heard,
      waits,
      until: (isEnough) => changes.untilTrue(() => isEnough(heard)),
      left: changes.untilTrue(() => waits.length > 0),
      closed: changes.untilTrue(() => isClosed)
    }
    return {
      reader,
      hear: (event: Heard) => {
        heard.push(event)
        changes.tell()
      },
      wait: (millis: number, comeBack: () => void) => {
        waits.push(millis)
        returns.unsafeOffer(comeBack)
        changes.tell()
      },
      close: () => {
        isClosed = true
        changes.tell()
      }
    } as const
  })
