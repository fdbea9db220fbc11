import { FastCheck as fc } from "effect"
import type { Cast } from "./Cast.ts"
import { type Binding, bindings } from "./Guests.ts"
import { type Key, retainedKeys } from "./Reader.ts"
import { sessions } from "./Sessions.ts"
import { type Manner, manners } from "./SimulatedBackend.ts"
import type { Temper } from "./Work.ts"

/** What happens to the world, in the order of a story. `reader` counts those that are open, around and around. */
export type Command =
  | { readonly do: "append"; readonly session: "a" | "b"; readonly size: number; readonly key: string | undefined }
  /** Commits one after the other, so that queues fill. */
  | { readonly do: "burst"; readonly session: "a" | "b"; readonly commits: number }
  | { readonly do: "remove"; readonly session: "a" | "b" }
  | { readonly do: "open"; readonly watched: "a" | "b" | "w" | "both"; readonly isFromStart: boolean }
  | { readonly do: "return" | "cut" | "pause" | "resume"; readonly reader: number }
  | { readonly do: "take"; readonly reader: number; readonly bytes: number }
  | { readonly do: "crash"; readonly kept: number }
  | { readonly do: "shut down" | "emit" | "end" | "say" | "stop" }
  | { readonly do: "come"; readonly binding: Binding }
  | { readonly do: "leave"; readonly guest: number }
  | { readonly do: "backend"; readonly connects: Manner; readonly others: Manner }
  | { readonly do: "send"; readonly toAll: boolean; readonly close: boolean }
  | { readonly do: "put"; readonly key: Key }
  | { readonly do: "attach"; readonly temper: Temper; readonly isResumable: boolean }
  | { readonly do: "interrupt"; readonly hasMessage: boolean }
  | { readonly do: "refuse"; readonly writes: number }
  | { readonly do: "pass"; readonly millis: number }

/** A command, and how many steps of the server follow it before the next one. */
export interface Scene {
  readonly command: Command
  readonly steps: number
}

const which = fc.constantFrom<"a" | "b">("a", "b")
const manner = fc.constantFrom(...manners)
/** A yes as often as all else together. */
const mild = fc.oneof(fc.constant<Manner>("accepts"), manner)
const reader = fc.nat({ max: 3 })

const is = <Name extends Command["do"], Needs extends object>(name: Name, needs: fc.Arbitrary<Needs>) =>
  needs.map((needed) => ({ do: name, ...needed }))

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: is(
      "append",
      fc.record({
        session: which,
        size: fc.integer({ min: 1, max: 5 }),
        key: fc.option(fc.constantFrom("k", "l"), { nil: undefined, freq: 3 })
      })
    )
  },
  {
    weight: 2,
    arbitrary: is("burst", fc.record({ session: which, commits: fc.integer({ min: 4, max: 9 }) }))
  },
  { weight: 1, arbitrary: is("remove", fc.record({ session: which })) },
  {
    weight: 4,
    arbitrary: is(
      "open",
      fc.record({
        watched: fc.constantFrom<"a" | "b" | "w" | "both">("a", "a", "b", "w", "both"),
        isFromStart: fc.boolean()
      })
    )
  },
  { weight: 3, arbitrary: is("return", fc.record({ reader })) },
  { weight: 1, arbitrary: is("cut", fc.record({ reader })) },
  { weight: 2, arbitrary: is("pause", fc.record({ reader })) },
  { weight: 2, arbitrary: is("resume", fc.record({ reader })) },
  { weight: 3, arbitrary: is("take", fc.record({ reader, bytes: fc.integer({ min: 1, max: 600 }) })) },
  { weight: 1, arbitrary: is("crash", fc.record({ kept: fc.constantFrom(0, 0, 0.5, 1) })) },
  { weight: 1, arbitrary: is("shut down", fc.constant({})) },
  {
    weight: 5,
    arbitrary: is("come", fc.record({ binding: fc.constantFrom(...bindings) }))
  },
  { weight: 2, arbitrary: is("leave", fc.record({ guest: fc.nat({ max: 5 }) })) },
  { weight: 2, arbitrary: is("backend", fc.record({ connects: mild, others: mild })) },
  { weight: 2, arbitrary: is("send", fc.record({ toAll: fc.boolean(), close: fc.boolean() })) },
  { weight: 2, arbitrary: is("put", fc.record({ key: fc.constantFrom(...retainedKeys) })) },
  {
    weight: 2,
    arbitrary: is(
      "attach",
      fc.record({ temper: fc.constantFrom<Temper>("obeys", "obeys", "hangs", "fails"), isResumable: fc.boolean() })
    )
  },
  { weight: 2, arbitrary: is("emit", fc.constant({})) },
  { weight: 1, arbitrary: is("end", fc.constant({})) },
  { weight: 2, arbitrary: is("say", fc.constant({})) },
  { weight: 2, arbitrary: is("interrupt", fc.record({ hasMessage: fc.boolean() })) },
  { weight: 1, arbitrary: is("stop", fc.constant({})) },
  { weight: 1, arbitrary: is("refuse", fc.record({ writes: fc.integer({ min: 1, max: 3 }) })) },
  { weight: 3, arbitrary: is("pass", fc.record({ millis: fc.constantFrom(50, 1000, 6000, 40_000) })) }
)

/** What events are kept: all, the last six of each session, or those of 20 seconds. */
export type Keeping = "all" | "some" | "young"

export interface Story {
  readonly keeping: Keeping
  readonly scenes: ReadonlyArray<Scene>
}

/** Long ones too: an array of few commands, the usual bias, seldom holds a race. */
export const story: fc.Arbitrary<Story> = fc.record({
  keeping: fc.constantFrom<Keeping>("all", "some", "young"),
  scenes: fc.array(fc.record({ command, steps: fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 40 })) }), {
    minLength: 5,
    maxLength: 60,
    size: "max"
  })
})

const watched = { a: [sessions.a], b: [sessions.b], w: [sessions.w], both: [sessions.a, sessions.b] } as const
const maxReaders = 4
/** Enough for an append, when nothing else is to do. */
const stepsOfCommit = 12

/** One command, done. What it needs and does not find is left out. */
export const perform = (cast: Cast, command: Command): void => {
  const { world } = cast
  if (world.state === "down") world.start()
  world.tell(`> ${JSON.stringify(command)}`)
  const chosen = "reader" in command ? cast.readers[command.reader % Math.max(cast.readers.length, 1)] : undefined
  switch (command.do) {
    case "append":
      return cast.append(command.session, command.size, command.key)
    case "burst":
      for (let done = 0; done < command.commits; done++) {
        cast.append(command.session, 1, undefined)
        world.steps(stepsOfCommit)
      }
      return
    case "remove":
      return cast.remove(command.session)
    case "open":
      if (cast.readers.length >= maxReaders) return
      return cast.open(watched[command.watched], command.watched === "both", command.isFromStart)
    case "return":
      return chosen && cast.return(chosen)
    case "cut":
      return chosen && cast.lose(chosen)
    case "pause":
      if (chosen) chosen.isPaused = true
      if (chosen) chosen.wasPaused = true
      return chosen?.socket.pause()
    case "take":
      return chosen?.socket.take(command.bytes)
    case "resume":
      if (chosen) chosen.isPaused = false
      return chosen?.socket.resume()
    case "crash":
      return world.crash(command.kept)
    case "shut down":
      return world.stop()
    case "come":
      return cast.guests.come(command.binding, (reader) => cast.readers.push(reader))
    case "leave":
      return cast.guests.guests[command.guest % Math.max(cast.guests.guests.length, 1)]?.leave()
    case "backend":
      world.backend.connects = command.connects
      world.backend.others = command.others
      return
    case "send":
      return cast.guests.send(command.toAll, command.close)
    case "put":
      return cast.guests.put(command.key)
    case "attach":
      return cast.work.attach(command.temper, command.isResumable)
    case "emit":
      return cast.work.emit()
    case "end":
      return cast.work.end()
    case "say":
      return cast.work.say()
    case "interrupt":
      return cast.work.interrupt(command.hasMessage)
    case "stop":
      return cast.work.stop()
    case "refuse":
      return world.disk.refuse(command.writes)
    case "pass":
      return world.pass(command.millis)
  }
}
