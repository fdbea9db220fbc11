import { Schema } from "effect"

/** What is deployed: shown to people, compared for equality only. */
export class Version extends Schema.Class<Version>("Version")({
  version: Schema.String.pipe(
    Schema.minLength(1, { message: () => "must have 1 to 256 characters" }),
    Schema.maxLength(256, { message: () => "must have 1 to 256 characters" })
  ),
  /** For people, in any form; left out when there is none. */
  changelog: Schema.optionalWith(
    Schema.String.pipe(Schema.maxLength(65_536, { message: () => "must have at most 65,536 characters" })),
    { exact: true }
  )
}) {}

/** What is said when nobody could tell in time. */
export const unknown = Version.make({ version: "unknown" })
