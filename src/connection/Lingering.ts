import type { Expiring } from "./Deadlines.ts"
import type { StreamSocket } from "./StreamSocket.ts"

/** A socket whose stream has ended while its peer has not taken the last bytes. It is not kept longer than its deadline. */
export class Lingering implements Expiring {
  isOver = false
  private readonly socket: StreamSocket

  constructor(socket: StreamSocket) {
    this.socket = socket
    socket.onClose = () => {
      this.isOver = true
    }
  }

  due(): number {
    if (!this.isOver) this.socket.destroy()
    return Number.POSITIVE_INFINITY
  }
}
