import type * as Cursor from "../../protocol/Cursor.ts"
import type { Message } from "../core/Outbox.ts"
import { type BrowserClient, connect, jsonOf, type Options, randomId } from "./BrowserClient.ts"
import type { Item } from "./Item.ts"
import type { SendResult } from "./Sender.ts"

/** What an earlier client left: where it was in each session, and what it had not sent, in order. */
export interface Kept {
  readonly places: ReadonlyMap<string, Cursor.Cursor>
  readonly messages: ReadonlyArray<Message>
}

/** Keeps places and messages over a reload. Its promises say when that is done; a failure is the storage's own. */
export interface Storage {
  readonly load: () => Promise<Kept>
  /** The app is done with the events up to this place. */
  readonly place: (session: string, place: Cursor.Cursor) => Promise<void>
  readonly keep: (message: Message) => Promise<void>
  /** It was answered. */
  readonly drop: (message: Message) => Promise<void>
}

export interface PersistentClient extends BrowserClient {
  /** What an earlier client had not sent, in order, and what becomes of it. */
  readonly restored: ReadonlyArray<{ readonly message: Message; readonly result: Promise<SendResult> }>
}

/**
 * A client that goes on where an earlier one with the same storage was: in sessions that are given without `from`, behind the
 * last event that the app was done with (it asked for the next item); and with the messages that had no answer, each with its
 * id. A storage that fails is told on the console, and nothing is kept then.
 */
export const connectPersistent = async (storage: Storage, options: Options): Promise<PersistentClient> => {
  const quietly = (act: () => Promise<void>) => {
    const acted = async () => act()
    acted().catch((failure: unknown) => console.error("sluice: storage", failure))
  }
  const { messages, places } = await storage.load().catch((failure: unknown): Kept => {
    console.error("sluice: storage", failure)
    return { places: new Map(), messages: [] }
  })
  const waiting = messages.map((message) => ({ message, data: JSON.parse(message.data) }))
  const client = connect({
    ...options,
    sessions: options.sessions.map((watch) => {
      const { from, session } = typeof watch === "string" ? { from: undefined, session: watch } : watch
      return { session, from: from ?? places.get(session) ?? "head" }
    })
  })

  const settle = async (message: Message, result: Promise<SendResult>): Promise<SendResult> => {
    const settled = await result
    // What was given up with this client, at its close or for a key that is not valid any more, is the next one's.
    if (settled.type !== "unsent" || settled.reason === "ended") quietly(() => storage.drop(message))
    return settled
  }

  const restored = waiting.map(({ data, message }) => {
    const { id, session } = message
    return { message, result: settle(message, client.send(data, { id, session })) }
  })
  const [theOnly, second] = new Set(
    options.sessions.map((watch) => (typeof watch === "string" ? watch : watch.session))
  )

  return {
    ...client,
    get status() {
      return client.status
    },
    restored,
    send: (data, { id = randomId(), session = second === undefined ? theOnly : undefined } = {}) => {
      const result = client.send(data, session === undefined ? { id } : { id, session })
      const text = jsonOf(data)
      if (session === undefined || text === undefined) return result
      const message = { id, session, data: text }
      quietly(() => storage.keep(message))
      return settle(message, result)
    },
    [Symbol.asyncIterator]: () => {
      const items = client[Symbol.asyncIterator]()
      let taken: Item | undefined
      return {
        next: async () => {
          if (taken?.type === "event") {
            const { epoch, seq, session } = taken
            quietly(() => storage.place(session, { epoch, seq }))
          }
          const next = await items.next()
          taken = next.value
          return next
        }
      }
    }
  }
}
