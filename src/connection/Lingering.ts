import type { Expiring } from "./Deadlines.ts"
import type { StreamSocket } from "./StreamSocket.ts"

/**
 * A socket whose stream has ended while its peer has not taken the last bytes. As long as it takes some, it is slow and is
 * let be (promise 4); one that takes none for `stall` milliseconds is destroyed.
 */
export class Lingering implements Expiring {
  isOver = false
  private readonly socket: StreamSocket
  private readonly stall: number
  private unsent = 0

  constructor(socket: StreamSocket, stall: number) {
    this.socket = socket
    this.stall = stall
    socket.onClose = () => {
      this.isOver = true
    }
  }

  /** All was said. */
  begin(): void {
    this.unsent = this.socket.unsent()
  }

  due(now: number): number {
    if (this.isOver) return Number.POSITIVE_INFINITY
    const unsent = this.socket.unsent()
    if (unsent < this.unsent) {
      this.unsent = unsent
      return now + this.stall
    }
    this.socket.destroy()
    return Number.POSITIVE_INFINITY
  }
}
