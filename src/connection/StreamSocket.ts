import type { Frames } from "../store/Frames.ts"

/** What a connection needs of its socket. The connection alone writes to it. */
export interface StreamSocket {
  /** The head of the response leaves now. The first write does it too. */
  readonly begin: () => void
  /** Takes the frames. False: the socket is full; write nothing before `onDrain`. */
  readonly write: (frames: Frames) => boolean
  /** As `write`, for text that only this connection gets. */
  readonly writeText: (text: string) => boolean
  /** Between the two, writes are gathered into one. */
  readonly cork: () => void
  readonly uncork: () => void
  /** Bytes that the peer has not taken yet: it shrinks while a slow peer reads. */
  readonly unsent: () => number
  /** Nothing that is written now can reach the peer. */
  readonly isGone: () => boolean
  /** Ends the response, and the socket once all was sent. */
  readonly end: () => void
  /** Drops what was not sent. */
  readonly destroy: () => void
  /** Set by the connection. `onClose` comes once, whoever ended the socket. */
  onDrain: () => void
  onClose: () => void
}
