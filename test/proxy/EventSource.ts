import * as assert from "node:assert/strict"
import { Effect, Fiber } from "effect"
import * as Paths from "../../src/protocol/Paths.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"

export interface Event {
  readonly id: string
  readonly data: string
}

/** What a page has got so far, over all its connections. */
export interface EventSource {
  readonly events: () => ReadonlyArray<Event>
  /** Streams that had a frame. */
  readonly connects: () => number
  /** Waits until the events are as wanted; dies when it gave up. */
  readonly until: (isEnough: (events: ReadonlyArray<Event>) => boolean) => Effect.Effect<void>
}

/**
 * Reads as a browser's `EventSource` does: it comes back with the last id, and gives up for good on an answer that is no
 * event stream of status 200. It has no patience: it tries once at once, then as soon as all is `up`.
 */
export const make = (url: string, up: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const events: Array<Event> = []
    const attempts = new Set<() => void>()
    let connects = 0
    let lastId = ""

    const connection = Effect.gen(function* () {
      const headers = lastId === "" ? {} : { [Paths.lastEventId]: lastId }
      const client = yield* StreamClient.open(url, { headers })
      assert.equal(client.status, 200, "an EventSource gives up for good")
      assert.equal(client.headers["content-type"], "text/event-stream")
      let taken = 0
      const take = () => {
        const arrived = client.events()
        if (taken === 0 && arrived.length > 0) connects += 1
        for (const { data, lastId: id, name } of arrived.slice(taken)) if (name === "message") events.push({ id, data })
        taken = arrived.length
        lastId = client.lastId() || lastId
        for (const attempt of attempts) attempt()
        return false
      }
      yield* Effect.ignore(client.until(take))
      return taken > 0
    }).pipe(
      Effect.scoped,
      Effect.catchTag("StreamNotOpened", () => Effect.succeed(false))
    )
    const reading = yield* Effect.forkScoped(
      Effect.forever(Effect.flatMap(connection, (hadFrames) => (hadFrames ? Effect.void : up)))
    )

    const source: EventSource = {
      events: () => events,
      connects: () => connects,
      until: (isEnough) =>
        Effect.raceFirst(
          Effect.async<void>((resume) => {
            const attempt = () => {
              if (isEnough(events)) resume(Effect.void)
            }
            attempts.add(attempt)
            attempt()
            return Effect.sync(() => attempts.delete(attempt))
          }),
          Fiber.join(reading)
        )
    }
    return source
  })
