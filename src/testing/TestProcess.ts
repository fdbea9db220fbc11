import { Chunk, Deferred, Effect, Queue, type Scope, Stream, Take } from "effect"
import type { NewEvent } from "../domain/Event.ts"
import type { ExitStatus, Message, Process, SubTask } from "../process/Process.ts"

/** What the process does when it is asked; each is well-behaved unless a test says otherwise. */
export interface Script {
  /** Before it is there. */
  readonly start?: Effect.Effect<void, unknown>
  readonly send?: (message: Message) => Effect.Effect<void, unknown>
  readonly interrupt?: Effect.Effect<void, unknown>
  /** A well-behaved one ends its output. */
  readonly stop?: Effect.Effect<void, unknown>
  readonly subTasks?: ReadonlyArray<SubTask>
  /** When its scope is closed. */
  readonly close?: Effect.Effect<void>
}

/** A process that a test drives. */
export interface TestProcess {
  /** To be attached; once. */
  readonly process: Effect.Effect<Process, unknown, Scope.Scope>
  readonly emit: (...events: ReadonlyArray<NewEvent>) => Effect.Effect<void>
  /** Its output ends; with a failure, if one is given. */
  readonly end: (failure?: unknown) => Effect.Effect<void>
  /** `start`, `send ID`, `interrupt`, `stop` and `close`, in the order in which they were asked for. */
  readonly heard: ReadonlyArray<string>
  /** Messages that it took. */
  readonly messages: ReadonlyArray<Message>
  /** Done when it has heard `what` for the first time. */
  readonly hears: (what: string) => Effect.Effect<void>
}

export const make = (script: Script = {}, exit?: ExitStatus): Effect.Effect<TestProcess> =>
  Effect.gen(function* () {
    const output = yield* Queue.unbounded<Take.Take<NewEvent, unknown>>()
    const heard: Array<string> = []
    const messages: Array<Message> = []
    const waiting = new Map<string, Deferred.Deferred<void>>()

    const signal = (what: string) =>
      Effect.suspend(() => {
        const known = waiting.get(what)
        if (known !== undefined) return Effect.succeed(known)
        return Effect.tap(Deferred.make<void>(), (made) => Effect.sync(() => waiting.set(what, made)))
      })

    const hear = (what: string) =>
      Effect.flatMap(signal(what), (heardIt) => {
        heard.push(what)
        return Deferred.succeed(heardIt, undefined)
      })

    const end = (failure?: unknown) =>
      Effect.asVoid(Queue.offer(output, failure === undefined ? Take.end : Take.fail(failure)))

    const made: Process = {
      output: Stream.flattenTake(Stream.fromQueue(output)),
      send: (message) =>
        hear(`send ${message.id}`).pipe(
          Effect.zipRight(Effect.suspend(() => script.send?.(message) ?? Effect.void)),
          Effect.tap(() => Effect.sync(() => messages.push(message))),
          Effect.asVoid
        ),
      interrupt: Effect.zipRight(hear("interrupt"), script.interrupt ?? Effect.void),
      stop: Effect.zipRight(hear("stop"), script.stop ?? end()),
      ...(script.subTasks === undefined ? {} : { subTasks: Effect.succeed(script.subTasks) }),
      ...(exit === undefined ? {} : { exit: Effect.succeed(exit) })
    }

    return {
      process: hear("start").pipe(
        Effect.zipRight(script.start ?? Effect.void),
        Effect.zipRight(
          Effect.acquireRelease(Effect.succeed(made), () => Effect.zipRight(hear("close"), script.close ?? Effect.void))
        )
      ),
      emit: (...events) => Effect.asVoid(Queue.offer(output, Take.chunk(Chunk.unsafeFromArray(Array.from(events))))),
      end,
      heard,
      messages,
      hears: (what) => Effect.flatMap(signal(what), Deferred.await)
    }
  })
