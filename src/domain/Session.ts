import { Schema } from "effect"

export const sessionIdRule = "must be 1 to 128 of A-Z a-z 0-9 . _ ~ : - (and not . or ..)"

/** 1 to 128 of `A-Z a-z 0-9 . _ ~ : -` (design §1). Safe in a URL path (so `.` and `..`, which URL parsers fold,
 * are none), in JSON and in a log line as it is. */
export const Id = Schema.String.pipe(
  Schema.pattern(/^(?!\.{1,2}$)[A-Za-z0-9._~:-]{1,128}$/),
  Schema.annotations({ message: () => sessionIdRule })
)

export const SessionId = Id.pipe(Schema.brand("SessionId"))
export type SessionId = typeof SessionId.Type

export const isSessionId: (text: unknown) => text is SessionId = Schema.is(SessionId)

const states = ["CREATED", "STARTING", "ACTIVE", "SUSPENDED", "DETACHED", "CLOSING", "ENDED"] as const
/** Where a session is in its life (design §5). */
export const SessionState = Schema.Literal(...states).annotations({
  message: () => ({ message: `must be one of ${states.join(", ")}`, override: true })
})
export type SessionState = typeof SessionState.Type

/** A session as operators see it: `oldest` is the lowest event still kept, `head` + 1 when none is. */
export const SessionSummary = Schema.Struct({
  session: SessionId,
  epoch: Schema.String,
  state: SessionState,
  oldest: Schema.NonNegativeInt,
  head: Schema.NonNegativeInt,
  watchers: Schema.NonNegativeInt,
  createdAt: Schema.String,
  updatedAt: Schema.String
})
export type SessionSummary = typeof SessionSummary.Type
