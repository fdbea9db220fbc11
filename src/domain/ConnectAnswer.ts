import { Duration, Either } from "effect"
import * as Frame from "../protocol/Frame.ts"
import { maxDepth } from "./AppendBody.ts"
import type { BackendEvent } from "./BackendEvent.ts"
import { maxWatches } from "./Connection.ts"
import { nameProblem } from "./Event.ts"
import * as Json from "./Json.ts"
import * as ReplayPlan from "./ReplayPlan.ts"
import { isSessionId, type SessionId, sessionIdRule } from "./Session.ts"

/** What a backend that accepts a connect may bind to it (contract §4). */
export interface ConnectAnswer {
  /** Takes over this identity from the connection that had it. */
  readonly requestId: string | undefined
  readonly watch: ReadonlyArray<{ readonly session: SessionId; readonly position: ReplayPlan.Position }>
  readonly events: ReadonlyArray<BackendEvent>
  /** The stream ends after this. */
  readonly expiresIn: Duration.Duration | undefined
}

export const nothing: ConnectAnswer = { requestId: undefined, watch: [], events: [], expiresIn: undefined }

const maxRequestIdLength = 256
const maxEvents = 100
const maxExpiresIn = Duration.days(30)
/** Lines of `ignored`; one more counts the rest. */
const maxIgnored = 10

type Ignore = (field: string, problem: string) => void
type Watch = ConnectAnswer["watch"][number]

/** Many writers of JSON have null for what is not there. */
const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null

const isTextOrAbsent = (value: unknown): value is string | null | undefined =>
  isAbsent(value) || typeof value === "string"

const readRequestId = (value: unknown, ignore: Ignore): string | undefined => {
  if (isAbsent(value)) return undefined
  if (typeof value === "string" && value !== "" && value.length <= maxRequestIdLength && Frame.isFieldSafe(value)) {
    return value
  }
  ignore("request_id", `must be a string of 1 to ${maxRequestIdLength} characters without control characters`)
  return undefined
}

const readExpiresIn = (value: unknown, ignore: Ignore): Duration.Duration | undefined => {
  if (isAbsent(value)) return undefined
  if (typeof value !== "number" || !(value > 0)) {
    ignore("expires_in", "must be a positive number of seconds")
    return undefined
  }
  const asked = Duration.seconds(value)
  if (Duration.lessThanOrEqualTo(asked, maxExpiresIn)) return asked
  // A limit that is too far away must not become none.
  ignore("expires_in", "must be at most 30 days, and is taken for that")
  return maxExpiresIn
}

const readWatch = (value: unknown, at: string, ignore: Ignore): Watch | undefined => {
  const { cursor, from, session } = Json.isObject(value) ? value : {}
  if (!isSessionId(session)) ignore(`${at}.session`, sessionIdRule)
  else if (!isTextOrAbsent(cursor)) ignore(`${at}.cursor`, "must be EPOCH.SEQ")
  else if (!isTextOrAbsent(from)) ignore(`${at}.from`, "must be start or head")
  else {
    const position = ReplayPlan.position(cursor ?? undefined, from ?? undefined)
    if (Either.isRight(position)) return { session, position: position.right }
    ignore(`${at}.${position.left.field}`, position.left.allowed)
  }
  return undefined
}

const readEvent = (value: unknown, at: string, ignore: Ignore): BackendEvent | undefined => {
  const { data, name } = Json.isObject(value) ? value : {}
  const problem = typeof name === "string" ? nameProblem(name) : undefined
  if (!isTextOrAbsent(name)) ignore(`${at}.name`, "must be a string")
  else if (problem !== undefined) ignore(`${at}.name`, problem)
  else if (data === undefined) ignore(`${at}.data`, "must be present: any JSON value")
  else if (Json.isTooDeep(data, maxDepth)) ignore(`${at}.data`, `must not be nested deeper than ${maxDepth}`)
  else return { name: name || undefined, data: typeof data === "string" ? data : JSON.stringify(data) }
  return undefined
}

/** At most `max` of what `read` finds valid. `key`: the first of several with one key stands. */
const readList = <A>(
  value: unknown,
  field: string,
  max: number,
  read: (value: unknown, at: string, ignore: Ignore) => A | undefined,
  key: (member: A, index: number) => unknown,
  ignore: Ignore
): ReadonlyArray<A> => {
  if (isAbsent(value)) return []
  if (!Array.isArray(value)) {
    ignore(field, "must be an array")
    return []
  }
  const members = new Map<unknown, A>()
  for (let index = 0; index < value.length; index++) {
    const member = read(value[index], `${field}[${index}]`, ignore)
    if (member === undefined || members.has(key(member, index))) continue
    if (members.size < max) members.set(key(member, index), member)
    else ignore(`${field}[${index}]`, `is over the ${max} that are kept`)
  }
  return Array.from(members.values())
}

export interface Parsed {
  readonly answer: ConnectAnswer
  /** What was meant to bind something and cannot: a readable line each. */
  readonly ignored: ReadonlyArray<string>
}

/**
 * The body of a 2xx answer, read leniently: what is malformed is left out and named, and the rest still binds. A text that
 * is no JSON object binds nothing, and need not be named: backends have always answered what they liked.
 */
export const parse = (text: string): Parsed => {
  const json = text === "" ? undefined : Either.getOrUndefined(Json.parse(text))
  if (!Json.isObject(json)) return { answer: nothing, ignored: [] }
  const ignored: Array<string> = []
  let more = 0
  const ignore: Ignore = (field, problem) => {
    if (ignored.length < maxIgnored) ignored.push(`${field} ${problem}`)
    else more += 1
  }
  const answer: ConnectAnswer = {
    requestId: readRequestId(json["request_id"], ignore),
    watch: readList(json["watch"], "watch", maxWatches, readWatch, ({ session }) => session, ignore),
    events: readList(json["events"], "events", maxEvents, readEvent, (_, index) => index, ignore),
    expiresIn: readExpiresIn(json["expires_in"], ignore)
  }
  return { answer, ignored: more === 0 ? ignored : [...ignored, `and ${more} more`] }
}
