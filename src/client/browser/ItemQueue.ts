/**
 * What came and was not taken yet. Full at `capacity`: the connection then reads no more, and the peer is held back by its
 * socket. One piece of the stream is offered as a whole, so it holds at most `capacity` and one piece.
 */
export const make = <A>(capacity: number) => {
  let items: Array<A> = []
  let ending: { readonly error?: Error | undefined } | undefined
  let changed = () => {}
  let change = Promise.resolve()
  const tell = () => {
    changed()
    change = new Promise((resolve) => {
      changed = resolve
    })
  }
  tell()
  return {
    /** After the end nothing is taken any more. */
    offer: (more: ReadonlyArray<A>) => {
      if (ending === undefined) items = items.concat(more)
      tell()
    },
    /** Done when it is not full, or over. */
    room: async () => {
      while (items.length >= capacity && ending === undefined) await change
    },
    /** What it holds can still be taken; then comes `error`, once, or the end. The first end counts. */
    end: (error?: Error) => {
      ending ??= { error }
      tell()
    },
    /** What it holds is given up. */
    clear: () => {
      items = []
    },
    next: async (): Promise<IteratorResult<A, undefined>> => {
      while (items.length === 0 && ending === undefined) await change
      const [value] = items.splice(0, 1)
      tell()
      if (value !== undefined) return { done: false, value }
      const error = ending?.error
      ending = {}
      if (error) throw error
      return { done: true, value: undefined }
    }
  }
}
