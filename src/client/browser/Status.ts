/** How it stands with the stream. `nextTry` is in milliseconds since 1970. */
export type Status =
  | { readonly state: "connecting" }
  /** The server said hello; what the sessions had before is on its way. */
  | { readonly state: "replaying" }
  | { readonly state: "live" }
  /** Comes back by itself. Without `nextTry`: the platform says that there is no network. */
  | { readonly state: "offline"; readonly reason: string; readonly nextTry?: number }
  /** Every session has ended. */
  | { readonly state: "ended" }
  /** The server refused for good, with this HTTP status. */
  | { readonly state: "failed"; readonly reason: string; readonly status: number; readonly code: string }
  | { readonly state: "closed" }

const noNetwork: Status = { state: "offline", reason: "the network is gone" }

const isSame = (one: Status, other: Status): boolean => JSON.stringify(one) === JSON.stringify(other)

/** The status and who listens to it. A listener that throws stops neither the others nor the client. */
export class StatusBoard {
  private state: Status = { state: "connecting" }
  private isNetworkDown = false
  private told: Status = this.state
  private readonly listeners = new Set<(status: Status) => void>()

  get status(): Status {
    return this.told
  }

  set(state: Status): void {
    this.state = state
    this.tell()
  }

  /** Shown in place of a connection that may not know it yet. */
  network(isDown: boolean): void {
    if (this.isNetworkDown === isDown) return
    this.isNetworkDown = isDown
    this.tell()
  }

  /** Hears each change, from now on; the result ends it. */
  on(listener: (status: Status) => void): () => void {
    const own = (status: Status) => listener(status)
    this.listeners.add(own)
    return () => void this.listeners.delete(own)
  }

  private tell(): void {
    const { state } = this.state
    const isOpen = state === "connecting" || state === "replaying" || state === "live"
    const status = this.isNetworkDown && isOpen ? noNetwork : this.state
    if (isSame(status, this.told)) return
    this.told = status
    for (const listener of Array.from(this.listeners)) {
      if (this.told !== status) return // one before it changed it: what is newer was told to all
      try {
        listener(status)
      } catch (failure) {
        console.error("sluice: a listener of the status threw", failure)
      }
    }
  }
}
