/** What is kept of a connection while the backend is asked (design §4, bounds). */
const maxEvents = 100
const maxBytes = 256 * 1024

/** A connection whose connect callback is running: no byte was written to it, and its token is known already. */
export class Arrival {
  readonly token: string
  /** JSON text of `{ url, headers }`, as the backend is told in connect and disconnect. */
  readonly request: string
  /** The client left meanwhile. */
  hasLeft = false
  /** The backend closed it meanwhile: nothing more is kept. */
  isClosing = false
  private readonly frames: Array<string> = []
  private bytes = 0

  constructor(token: string, request: string) {
    this.token = token
    this.request = request
  }

  /** Keeps a frame for the first write. False: the window is full. */
  keep(frame: string): boolean {
    const size = Buffer.byteLength(frame)
    if (this.frames.length >= maxEvents || this.bytes + size > maxBytes) return false
    this.frames.push(frame)
    this.bytes += size
    return true
  }

  /** What was kept, in the order of the sends. */
  get kept(): string {
    return this.frames.join("")
  }
}
