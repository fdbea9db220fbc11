/** What the backend puts on a stream: not stored, belongs to no session. Without a name it is SSE's `message`. */
export interface BackendEvent {
  readonly name: string | undefined
  readonly data: string
}
