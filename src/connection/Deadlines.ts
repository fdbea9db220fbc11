import { Clock, Duration, Effect, FiberHandle } from "effect"

/** What has something due. */
export interface Expiring {
  /** Nothing is due any more. */
  readonly isOver: boolean
  /** Called at `at` or soon after. Returns when to call again, after `now` (epoch milliseconds), or `Infinity`. */
  readonly due: (now: number, at: number) => number
}

interface Entry {
  readonly at: number
  readonly item: Expiring
}

const siftUp = (heap: Array<Entry>, entry: Entry): void => {
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = heap[parent]
    if (above === undefined || above.at <= entry.at) break
    heap[at] = above
    at = parent
  }
  heap[at] = entry
}

const takeFirst = (heap: Array<Entry>): Entry | undefined => {
  const first = heap[0]
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const right = left + 1
    const [l, r] = [heap[left], heap[right]]
    if (l === undefined) break
    const child = r !== undefined && r.at < l.at ? right : left
    const below = heap[child]
    if (below === undefined || below.at >= last.at) break
    heap[at] = below
    at = child
  }
  heap[at] = last
  return first
}

/** Entries below which nobody looks for what is over. */
const leastSweep = 4096

/**
 * One fiber and one timer for the deadlines of all connections (heartbeat, stall, age): a timer per connection costs
 * memory for each and work for each event. A deadline that moved later is noticed when the old one comes.
 */
export const make = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const handle = yield* FiberHandle.make<void>()
  const fork = yield* FiberHandle.runtime(handle)<never>()
  const heap: Array<Entry> = []
  let wakesAt = Number.POSITIVE_INFINITY
  let sweepAt = leastSweep
  let firing = false

  /** What is over leaves when its deadline comes, or here, so that a storm of short connections is not held for long. */
  const sweep = () => {
    const left = heap.filter(({ item }) => !item.isOver)
    heap.length = 0
    for (const entry of left) siftUp(heap, entry)
    sweepAt = Math.max(leastSweep, 2 * heap.length)
  }

  const fire = () => {
    const now = clock.unsafeCurrentTimeMillis()
    firing = true
    for (let first = heap[0]; first !== undefined && first.at <= now; first = heap[0]) {
      takeFirst(heap)
      const next = first.item.due(now, first.at)
      if (next !== Number.POSITIVE_INFINITY) siftUp(heap, { at: next, item: first.item })
    }
    firing = false
  }

  // Interrupted to wake earlier, or for good with the scope.
  const loop = Effect.whileLoop({
    while: () => {
      wakesAt = heap[0]?.at ?? Number.POSITIVE_INFINITY
      return wakesAt !== Number.POSITIVE_INFINITY
    },
    body: () => Clock.sleep(Duration.millis(Math.max(wakesAt - clock.unsafeCurrentTimeMillis(), 0))),
    step: fire
  })

  return {
    /** An item may be scheduled anew, for earlier: it tells the entry that no longer counts by its `at`. */
    schedule: (at: number, item: Expiring): void => {
      if (heap.length >= sweepAt) sweep()
      siftUp(heap, { at, item })
      if (at < wakesAt && !firing) {
        wakesAt = at
        fork(loop)
      }
    }
  } as const
})
