import { Effect, Fiber } from "effect"
import * as Requests from "../../scenarios/Requests.ts"
import type { ServerProcess } from "../../scenarios/ServerProcess.ts"

export const last = "the last event"

const data = (count: number) => `event ${count}\n${"ü€😀".repeat(count % 50)}`

const one = (server: ServerProcess, count: number) =>
  server.up.pipe(
    Effect.zipRight(Requests.append(server, "s", { events: [{ data: data(count) }, { data: data(count * 7) }] })),
    Effect.catchTag("NoAnswer", () => Effect.void) // it is not tried again
  )

/** As a model speaks: what matters is that it goes on, not how much it is. */
const pace = "10 millis"

/** Events are appended to `s`, one after the other, while `act` goes on, through every end of the server; then the last one is. */
export const during = <A>(server: ServerProcess, act: Effect.Effect<A>) =>
  Effect.gen(function* () {
    let isOver = false
    const appending = yield* Effect.fork(
      Effect.iterate(1, {
        while: () => !isOver,
        body: (count) => Effect.as(Effect.delay(one(server, count), pace), count + 1)
      })
    )
    const result = yield* act
    isOver = true
    yield* Fiber.join(appending)
    yield* Requests.add(server, "s", { data: last })
    return result
  })
