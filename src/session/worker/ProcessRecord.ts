import { Option, Schema } from "effect"

/** What the store keeps of a process while it works: what a later server needs when this one dies. */
const Record = Schema.parseJson(
  Schema.Struct({
    isResumable: Schema.Boolean,
    /** See `ProcessGroup`. */
    group: Schema.optionalWith(Schema.String, { exact: true })
  })
)
export type ProcessRecord = typeof Record.Type

export const encode: (record: ProcessRecord) => string = Schema.encodeSync(Record)

const decodeOption = Schema.decodeOption(Record)

/** What cannot be read is of a process that is gone for good. */
export const decode = (text: string): ProcessRecord =>
  Option.getOrElse(decodeOption(text), () => ({ isResumable: false }))
