import type { Watcher } from "../../src/session/Watcher.ts"
import type { Batch } from "../../src/store/Batch.ts"

export interface TestWatcher extends Watcher {
  readonly batches: ReadonlyArray<Batch>
  /** The numbers offered, in the order of the offers. */
  readonly seqs: () => ReadonlyArray<number>
  /** `resync`, `ended: REASON` and `died`, in order. */
  readonly heard: ReadonlyArray<string>
}

/** An ear that takes everything, unless `onOffer` throws. */
export const make = (onOffer: (batch: Batch) => void = () => {}): TestWatcher => {
  const batches: Array<Batch> = []
  const heard: Array<string> = []
  return {
    batches,
    heard,
    seqs: () => batches.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, at) => first + at)),
    offer: (batch) => {
      onOffer(batch)
      batches.push(batch)
    },
    sync: () => false,
    resync: () => heard.push("resync"),
    ended: (reason) => heard.push(`ended: ${reason}`),
    died: () => heard.push("died")
  }
}
