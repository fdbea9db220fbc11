import type * as Cursor from "../../protocol/Cursor.ts"
import type { Message } from "../core/Outbox.ts"
import type { Storage } from "./Persistent.ts"

/** As much of the standard (W3C IndexedDB) as is used here. */
interface Asked<A> {
  readonly result: A
  readonly error: Error | null
  onsuccess: (() => void) | null
  onerror: (() => void) | null
}

interface Rows {
  readonly put: (row: object) => unknown
  readonly delete: (key: string | number) => unknown
  readonly getAll: () => Asked<ReadonlyArray<unknown>>
}

interface Transaction {
  readonly objectStore: (name: string) => Rows
  readonly error: Error | null
  oncomplete: (() => void) | null
  onabort: (() => void) | null
}

interface Database {
  readonly createObjectStore: (name: string, options: { readonly keyPath: string }) => unknown
  readonly transaction: (name: string, mode: "readonly" | "readwrite") => Transaction
  readonly close: () => void
  onversionchange: (() => void) | null
}

interface Factory {
  readonly open: (name: string, version: number) => Asked<Database> & { onupgradeneeded: (() => void) | null }
}

interface PlaceRow extends Cursor.Cursor {
  readonly session: string
}

/** `at` orders them: about microseconds since 1970, counted on where the clock stands, and of no two tabs the same. */
interface MessageRow extends Message {
  readonly at: number
}

const asked = <A>(request: Asked<A>): Promise<A> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error("IndexedDB failed"))
  })

const open = (name: string): Promise<Database> => {
  // What a browser has under this name is the standard's; in Node there is none.
  const factory = Reflect.get(globalThis, "indexedDB") as Factory | undefined
  if (factory === undefined) return Promise.reject(new Error("there is no IndexedDB"))
  const request = factory.open(`sluice-${name}`, 1)
  request.onupgradeneeded = () => {
    request.result.createObjectStore("places", { keyPath: "session" })
    request.result.createObjectStore("messages", { keyPath: "at" })
  }
  return asked(request)
}

/**
 * In the browser's IndexedDB, until its data are cleared. `name`: of what is kept together, as a user and a part of the app;
 * tabs that use one name at a time send what was left both, with the same ids, so that it is stored once.
 */
export const indexedDbStorage = (name: string): Storage => {
  const keys = new Map<string, number>()
  const keyOf = ({ id, session }: Message): string => `${session} ${id}`
  const waiting = new Map<string, Cursor.Cursor>()
  let opened: Promise<Database> | undefined
  let last = 0
  let placing: Promise<void> | undefined

  const forget = () => {
    opened = undefined
  }

  const database = () => {
    opened ??= open(name).then(
      (database) => {
        // Another page wants it deleted, or newer.
        database.onversionchange = () => {
          database.close()
          forget()
        }
        return database
      },
      (failure: unknown) => {
        forget()
        return Promise.reject(failure)
      }
    )
    return opened
  }

  /** Done when it is stored. */
  const write = async (rows: string, act: (rows: Rows) => void): Promise<void> => {
    const transaction = (await database()).transaction(rows, "readwrite")
    act(transaction.objectStore(rows))
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB gave a write up"))
    })
  }

  const all = async (rows: string) => asked((await database()).transaction(rows, "readonly").objectStore(rows).getAll())

  /** However fast events come, one write at a time, of the newest place of each session. */
  const placeAll = async (): Promise<void> => {
    while (waiting.size > 0) {
      const places = Array.from(waiting)
      waiting.clear()
      await write("places", (rows) => {
        for (const [session, { epoch, seq }] of places) rows.put({ session, epoch, seq })
      })
    }
  }

  return {
    load: async () => {
      // Rows are written below only, and a change of their form changes the version.
      const places = (await all("places")) as ReadonlyArray<PlaceRow>
      const messages = (await all("messages")) as ReadonlyArray<MessageRow>
      for (const row of messages) {
        keys.set(keyOf(row), row.at)
        last = Math.max(last, row.at)
      }
      return {
        places: new Map(places.map(({ epoch, seq, session }) => [session, { epoch, seq }])),
        messages: messages.map(({ data, id, session }) => ({ id, session, data }))
      }
    },
    place: (session, place) => {
      waiting.set(session, place)
      placing ??= placeAll().finally(() => {
        placing = undefined
      })
      return placing
    },
    keep: ({ data, id, session }) => {
      last = Math.max(last + 1, Date.now() * 1000 + Math.floor(Math.random() * 1000))
      const row: MessageRow = { at: last, session, id, data }
      keys.set(keyOf(row), row.at)
      return write("messages", (rows) => rows.put(row))
    },
    drop: async (message) => {
      const key = keys.get(keyOf(message))
      keys.delete(keyOf(message))
      if (key !== undefined) await write("messages", (rows) => rows.delete(key))
    }
  }
}
