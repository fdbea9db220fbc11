import type { Message } from "./Message.ts"

/** What tabs of one browser have in common. In Node, in an old browser, or on plain http outside localhost there is none. */
export interface Tabs {
  /**
   * Web Locks: `held` is called when the lock is had, which is let go when its promise is done. Rejects when `signal` comes
   * before that, and when another tab steals the lock.
   */
  readonly lock: (name: string, options: LockOptions, held: () => Promise<void>) => Promise<void>
  /** A BroadcastChannel: what one tab posts, every other one hears. */
  readonly channel: (name: string, hear: (message: Message) => void) => Channel
  /** What nobody else would come upon, of a text that nobody shall read there. */
  readonly digest: (text: string) => Promise<string>
  /** For a tab, while it is there. */
  readonly id: () => string
  /** What a relative URL is relative to. */
  readonly base: string | undefined
}

export interface LockOptions {
  readonly signal?: AbortSignal
  readonly steal?: boolean
}

export interface Channel {
  readonly post: (message: Message) => void
  readonly close: () => void
}

const property = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const channel: Tabs["channel"] = (name, hear) => {
  const bus = new BroadcastChannel(name)
  bus.onmessage = (event: unknown) => {
    // Only this module posts there, and a change of its messages changes the name.
    hear(property(event, "data") as Message)
  }
  return { post: (message) => bus.postMessage(message), close: () => bus.close() }
}

const digest: Tabs["digest"] = async (text) => {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

export const platform = (): Tabs | undefined => {
  const locks = property(property(globalThis, "navigator"), "locks")
  const request = property(locks, "request")
  if (typeof request !== "function" || typeof BroadcastChannel !== "function") return undefined
  return {
    lock: async (name, options, held) => {
      await Reflect.apply(request, locks, [name, options, held])
    },
    channel,
    digest,
    id: () => crypto.randomUUID(), // where there are locks, the page is secure
    base: text(property(property(globalThis, "location"), "href"))
  }
}
