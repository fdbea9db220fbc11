import type { Message } from "../../../../src/client/browser/tabs/Message.ts"
import type { Tabs } from "../../../../src/client/browser/tabs/Tabs.ts"
import type { Timers } from "../../../../src/client/browser/Timers.ts"
import * as Changes from "../../../http/Changes.ts"
import * as FakeLocks from "./FakeLocks.ts"

interface Ear {
  readonly name: string
  readonly hear: (message: Message) => void
  /** What is on its way to it, in order. */
  readonly coming: Array<Message>
}

export interface Options {
  readonly fetch?: typeof fetch
  /** Turns of the event loop that a message or a lock takes. */
  readonly turns?: () => number
}

/** A browser in memory: what its tabs have in common, and what each of them is in danger of. */
export const make = ({ fetch = globalThis.fetch, turns = () => 1 }: Options = {}) => {
  const ears = new Set<Ear>()
  const changes = Changes.make()
  const streams = new Set<object>()
  const asked: Array<URL> = []
  const posted: Array<Message> = []
  let cutting = new AbortController()
  let most = 0
  let ids = 0

  const changed = () => {
    changes.tell()
  }

  const later = (act: () => void) => {
    let left = turns()
    const turn = () => {
      left -= 1
      if (left > 0) return setImmediate(turn)
      act()
      return changed()
    }
    setImmediate(turn)
  }

  const deliver = (ear: Ear) =>
    later(() => {
      for (const message of ear.coming.splice(0)) ear.hear(message)
    })

  const locks = FakeLocks.make(later, changed)

  /** Counts the stream as open from when it is asked for until it is over or given up. */
  const counted = (input: string, signal: AbortSignal) => {
    const url = new URL(input)
    if (!url.pathname.endsWith("/stream")) return () => {}
    const stream = {}
    asked.push(url)
    streams.add(stream)
    most = Math.max(most, streams.size)
    const over = () => {
      streams.delete(stream)
      changed()
    }
    signal.addEventListener("abort", over)
    changed()
    return over
  }

  const tab = (timers: Timers) => {
    const death = new AbortController()
    const waiting: Array<() => void> = []
    let isFrozen = false
    const run = (act: () => void) => {
      if (death.signal.aborted) return
      if (isFrozen) waiting.push(act)
      else act()
    }
    const process = { run }
    const gate = <A>(promise: Promise<A>): Promise<A> =>
      new Promise((resolve, reject) => {
        promise.then(
          (value) => run(() => resolve(value)),
          (failure: unknown) => run(() => reject(failure))
        )
      })

    const ownFetch: typeof globalThis.fetch = async (input, init) => {
      if (death.signal.aborted) return new Promise(() => {})
      const signals = [death.signal, cutting.signal, ...(init?.signal ? [init.signal] : [])]
      const signal = AbortSignal.any(signals)
      const over = counted(String(input), signal)
      const response = await gate(fetch(input, { ...init, signal })).catch((failure: unknown) => {
        over()
        return Promise.reject(failure)
      })
      const reader = response.body?.getReader()
      if (reader === undefined) over()
      const { headers, status } = response
      const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
        const { done, value } = (await gate(reader?.read() ?? Promise.reject(new Error("no body")))) ?? {}
        if (!done) return controller.enqueue(value)
        over()
        return controller.close()
      }
      return new Response(reader && new ReadableStream({ pull }, { highWaterMark: 0 }), { headers, status })
    }

    const tabs: Tabs = {
      lock: (name, options, held) =>
        death.signal.aborted ? new Promise(() => {}) : locks.request(process, name, options, held),
      channel: (name, hear) => {
        const ear: Ear = { name, coming: [], hear: (message) => run(() => ears.has(ear) && hear(message)) }
        if (!death.signal.aborted) ears.add(ear)
        death.signal.addEventListener("abort", () => ears.delete(ear))
        return {
          post: (message) => {
            if (death.signal.aborted) return
            if (!ears.has(ear)) throw new DOMException("Channel is closed", "InvalidStateError")
            posted.push(message)
            for (const other of ears) {
              if (other === ear || other.name !== name) continue
              if (other.coming.push(structuredClone(message)) === 1) deliver(other)
            }
          },
          close: () => void ears.delete(ear)
        }
      },
      digest: async (text) => Buffer.from(text).toString("hex"),
      id: () => `tab-${++ids}`,
      base: undefined
    }

    return {
      tabs,
      fetch: ownFetch,
      timers: { ...timers, after: (millis, act) => timers.after(millis, () => run(act)) } satisfies Timers,
      page: new EventTarget(),
      /** As if its process was killed: it says, hears and asks nothing any more, and what it held is free. */
      crash: () => {
        death.abort()
        locks.forget(process)
      },
      /** It is stuck: whatever happens, it hears of it when it is thawed, in the order in which it happened. */
      freeze: () => {
        isFrozen = true
      },
      thaw: () => {
        const next = () => {
          const [act] = waiting.splice(0, 1)
          isFrozen = act !== undefined
          act?.()
          if (isFrozen) setImmediate(next)
        }
        next()
      }
    } as const
  }

  return {
    tab,
    /** Each stream that was asked for. */
    asked: asked as ReadonlyArray<URL>,
    posted: posted as ReadonlyArray<Message>,
    open: () => streams.size,
    /** Breaks off all that is asked for and has no whole answer yet. */
    cut: () => {
      cutting.abort(new TypeError("network error"))
      cutting = new AbortController()
    },
    /** The most streams that were open at one time. */
    most: () => most,
    /** Locks held and asked for, open channels and open streams. */
    left: () => ({ locks: locks.count(), channels: ears.size, streams: streams.size }),
    /** Waits until it is so. */
    until: changes.untilTrue
  } as const
}

export type FakeBrowser = ReturnType<typeof make>
