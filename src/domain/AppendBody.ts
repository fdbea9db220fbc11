import { Either, Schema } from "effect"
import { maxEvents, maxNameLength, type NewEvent, nameProblem } from "./Event.ts"
import * as Json from "./Json.ts"
import { InvalidRequest, PayloadTooLarge } from "./SessionError.ts"

/** The deepest nesting of `data` (design §10). */
export const maxDepth = 64

const NewEventJson = Schema.Struct({
  name: Schema.optional(Schema.String.pipe(Schema.maxLength(maxNameLength))),
  data: Schema.Unknown
})

/** The documented shape of the body. `parse` reads the same without allocating per field: a test holds both together. */
export const AppendBody = Schema.Union(
  NewEventJson,
  Schema.Struct({ events: Schema.Array(NewEventJson).pipe(Schema.minItems(1), Schema.maxItems(maxEvents)) })
)

type Failure = InvalidRequest | PayloadTooLarge
const invalid = (field: string, allowed: string): Either.Either<never, Failure> =>
  Either.left(new InvalidRequest({ field, allowed }))

/** What is wrong with the nesting of a JSON value, if anything. */
export const depthProblem = (value: unknown, field: string): InvalidRequest | undefined =>
  typeof value !== "string" && Json.isTooDeep(value, maxDepth)
    ? new InvalidRequest({ field, allowed: `must not be nested deeper than ${maxDepth}` })
    : undefined

/** One event that was parsed already; `at` is its place in the body, empty for the body itself. */
export const readEvent = (value: unknown, at: string, maxEventBytes: number): Either.Either<NewEvent, Failure> => {
  if (!Json.isObject(value)) return invalid(at || "body", "must be an object with data and an optional name")
  const { name, data } = value
  const path = at && `${at}.`
  if (name !== undefined && typeof name !== "string") return invalid(`${path}name`, "must be a string")
  const problem = name === undefined ? undefined : nameProblem(name)
  if (problem !== undefined) return invalid(`${path}name`, problem)
  if (data === undefined) return invalid(`${path}data`, "must be present: any JSON value")
  const depth = depthProblem(data, `${path}data`)
  if (depth !== undefined) return Either.left(depth)
  const text = typeof data === "string" ? data : JSON.stringify(data)
  // UTF-8 needs at most three bytes for a UTF-16 unit: most events are settled without counting.
  if (text.length * 3 > maxEventBytes && Buffer.byteLength(text) > maxEventBytes) {
    return Either.left(new PayloadTooLarge({ field: `${path}data`, limit: maxEventBytes }))
  }
  return Either.right({ name: name || "message", data: text })
}

const readEvents = (
  values: ReadonlyArray<unknown>,
  at: (index: number) => string,
  maxEventBytes: number
): Either.Either<ReadonlyArray<NewEvent>, Failure> => {
  if (values.length < 1 || values.length > maxEvents) return invalid("events", `must have 1 to ${maxEvents} members`)
  const events: Array<NewEvent> = []
  for (let index = 0; index < values.length; index++) {
    const event = readEvent(values[index], at(index), maxEventBytes)
    if (Either.isLeft(event)) return Either.left(event.left)
    events.push(event.right)
  }
  return Either.right(events)
}

/** One event, or `{ events: [...] }` of 1 to 1,000. All or nothing: one invalid member refuses the whole body. */
export const parse = (text: string, maxEventBytes: number): Either.Either<ReadonlyArray<NewEvent>, Failure> => {
  const json = Json.parse(text)
  if (Either.isLeft(json)) return invalid("body", `must be JSON: ${json.left.slice(0, 120)}`)
  if (Json.isObject(json.right) && "events" in json.right) {
    const { events } = json.right
    if (!Array.isArray(events)) return invalid("events", `must be an array of 1 to ${maxEvents} events`)
    return readEvents(events, (index) => `events[${index}]`, maxEventBytes)
  }
  return Either.map(readEvent(json.right, "", maxEventBytes), (event) => [event])
}

/** One event a line; empty lines are passed over. */
export const parseNdjson = (text: string, maxEventBytes: number): Either.Either<ReadonlyArray<NewEvent>, Failure> => {
  const values: Array<unknown> = []
  const lines: Array<number> = []
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const json = Json.parse(line)
    if (Either.isLeft(json)) return invalid(`line ${index + 1}`, `must be JSON: ${json.left.slice(0, 120)}`)
    values.push(json.right)
    lines.push(index + 1)
  }
  return readEvents(values, (index) => `line ${lines[index]}`, maxEventBytes)
}
