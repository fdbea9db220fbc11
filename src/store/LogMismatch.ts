/**
 * A batch that is not the next one of its log: its epoch is unknown, or its `first` is not the head + 1. Only a bug of the
 * caller makes one, so it is a defect of the commit; the store refuses it, as else a number would be given twice.
 */
export class LogMismatch extends Error {
  override readonly name = "LogMismatch"
  constructor(batch: { readonly session: string; readonly epoch: string; readonly first: number }) {
    super(`event ${batch.first} of epoch ${batch.epoch} is not the next one of session ${batch.session}`)
  }
}
