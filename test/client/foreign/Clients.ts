import { vi } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { EventSource } from "eventsource"
import { createParser } from "eventsource-parser"
import { EventSource as UndiciEventSource } from "undici"
import * as Notes from "./Notes.ts"

/** A client of another house. */
interface Client {
  readonly name: string
  /** Does a block without data move its `Last-Event-ID`, as the standard has it? */
  readonly takesBareIds: boolean
  /** Reads until the scope closes, and hears these names. Each of its waits lasts as long as `away` takes. */
  readonly read: (
    url: string,
    names: ReadonlyArray<string>,
    away?: Effect.Effect<void>
  ) => Effect.Effect<Notes.Reader, never, Scope.Scope>
}

/** How long each of them waits before it comes back when no server told it, in milliseconds. */
export const ownWait = 3000

/** Done with the next turn of the loop: what came before the end of a stream was taken by then. */
const atOnce = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** What both packages have of the standard's interface. */
interface Source {
  readonly readyState: number
  readonly addEventListener: (name: string, listener: (event: Event) => void) => void
  readonly close: () => void
}
const connecting = 0

/** The next timer that anyone sets is not set but handed over. */
const takeNextTimer = (take: (millis: number, act: () => void) => void) => {
  const real = globalThis.setTimeout
  const spy = vi.spyOn(globalThis, "setTimeout").mockImplementationOnce((act, millis = 0) => {
    spy.mockRestore()
    take(millis, act)
    return real(() => {}, 0)
  })
}

const eventSource =
  (open: (url: string) => Source): Client["read"] =>
  (url, names, away = atOnce) =>
    Effect.gen(function* () {
      const notes = yield* Notes.make(away)
      const source = yield* Effect.acquireRelease(
        Effect.sync(() => open(url)),
        (source) => Effect.sync(() => source.close())
      )
      for (const name of names) {
        source.addEventListener(name, (event) => {
          if (!("data" in event && "lastEventId" in event)) return
          notes.hear({ id: String(event.lastEventId), name: event.type, data: String(event.data) })
        })
      }
      // Without a pause after it said that it was left, it sets the timer of its return.
      source.addEventListener("error", () => {
        if (source.readyState === connecting) takeNextTimer(notes.wait)
        else notes.close()
      })
      return notes.reader
    })

/** What one writes around a parser that leaves connections, waits and ids to its user. */
const byHand: Client["read"] = (url, names, away = atOnce) =>
  Effect.gen(function* () {
    const notes = yield* Notes.make(away)
    let lastId = ""
    let retry = ownWait
    const parser = createParser({
      onEvent: ({ data, event: name = "message", id = "" }) => {
        lastId = id || lastId
        if (names.includes(name)) notes.hear({ id, name, data })
      },
      onRetry: (millis) => {
        retry = millis
      }
    })
    const connection = Effect.tryPromise(async (signal) => {
      const headers = lastId === "" ? {} : { "Last-Event-ID": lastId }
      const response = await fetch(url, { headers, signal })
      if (response.status !== 200 || response.body === null) return false
      parser.reset()
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) parser.feed(text)
      return true
    }).pipe(Effect.orElseSucceed(() => true))
    yield* Effect.forkScoped(
      Effect.gen(function* () {
        while (yield* connection) yield* Effect.async<void>((resume) => notes.wait(retry, () => resume(Effect.void)))
        notes.close()
      })
    )
    return notes.reader
  })

export const clients: ReadonlyArray<Client> = [
  { name: "npm eventsource", takesBareIds: false, read: eventSource((url) => new EventSource(url)) },
  { name: "eventsource-parser and fetch", takesBareIds: false, read: byHand },
  { name: "undici's EventSource", takesBareIds: true, read: eventSource((url) => new UndiciEventSource(url)) }
]
