interface Taker<A> {
  readonly resolve: (result: IteratorResult<A, undefined>) => void
  readonly reject: (error: Error) => void
}

/**
 * What came and was not taken yet. Full at `capacity`: the connection then reads no more, and the peer is held back by its
 * socket. One piece of the stream is offered as a whole, so it holds at most `capacity` and one piece.
 */
export class ItemQueue<A> implements AsyncIterableIterator<A, undefined> {
  private readonly capacity: number
  private items: Array<A> = []
  private readonly takers: Array<Taker<A>> = []
  private onRoom: (() => void) | undefined
  private ending: { readonly error: Error | undefined } | undefined

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** After `end` nothing is taken any more. */
  offer(items: ReadonlyArray<A>): void {
    if (this.ending !== undefined) return
    for (const item of items) {
      const taker = this.takers.shift()
      if (taker === undefined) this.items.push(item)
      else taker.resolve({ done: false, value: item })
    }
  }

  /** Done when it is not full, or over. For one waiter. */
  room(): Promise<void> {
    return new Promise((resolve) => {
      if (this.items.length < this.capacity || this.ending !== undefined) return resolve()
      this.onRoom = resolve
    })
  }

  /** What it holds can still be taken; then comes `error`, once, or the end. The first end counts. */
  end(error?: Error): void {
    if (this.ending !== undefined) return
    this.ending = { error }
    this.released()
    for (const taker of this.takers.splice(0)) this.finish(taker)
  }

  /** The end, now: what it holds is given up. */
  close(): void {
    this.items = []
    this.end()
    this.ending = { error: undefined }
  }

  next(): Promise<IteratorResult<A, undefined>> {
    return new Promise((resolve, reject) => {
      const [item] = this.items
      if (item !== undefined) {
        this.items.shift()
        if (this.items.length < this.capacity) this.released()
        return resolve({ done: false, value: item })
      }
      if (this.ending === undefined) this.takers.push({ resolve, reject })
      else this.finish({ resolve, reject })
    })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private released(): void {
    this.onRoom?.()
    this.onRoom = undefined
  }

  private finish({ reject, resolve }: Taker<A>): void {
    const error = this.ending?.error
    this.ending = { error: undefined }
    if (error === undefined) resolve({ done: true, value: undefined })
    else reject(error)
  }
}
