/** How it stands with the stream. `nextTry` is in milliseconds since 1970. */
export type Status =
  | { readonly state: "connecting" }
  /** The server said hello; what the sessions had before is on its way. */
  | { readonly state: "replaying" }
  | { readonly state: "live" }
  /** Comes back by itself. */
  | { readonly state: "offline"; readonly reason: string; readonly nextTry: number }
  /** Every session has ended. */
  | { readonly state: "ended" }
  /** The server refused for good, with this HTTP status. */
  | { readonly state: "failed"; readonly reason: string; readonly status: number; readonly code: string }
  | { readonly state: "closed" }

/** The status and who listens to it. A listener that throws stops neither the others nor the client. */
export const make = () => {
  let status: Status = { state: "connecting" }
  const listeners = new Set<(status: Status) => void>()
  return {
    get: () => status,
    set: (next: Status) => {
      status = next
      for (const listener of [...listeners]) {
        if (status !== next) return // one before it changed it: what is newer was told to all
        try {
          listener(next)
        } catch (failure) {
          console.error(failure)
        }
      }
    },
    /** Hears each change, from now on; the result ends it. */
    on: (listener: (status: Status) => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    }
  }
}
