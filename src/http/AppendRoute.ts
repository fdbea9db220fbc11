/**
 * `POST /v1/sessions/:id/events` (hot path): answered from the request listener, without fiber, router or decoder.
 * Through the platform's router, body decoder and tracer a request costs 170 to 250 µs, here 20.
 */
import { createHash } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { Either } from "effect"
import * as AppendBody from "../domain/AppendBody.ts"
import type { SessionId } from "../domain/Session.ts"
import { type AppendError, InvalidRequest, type PayloadTooLarge } from "../domain/SessionError.ts"
import * as Cursor from "../protocol/Cursor.ts"
import * as Paths from "../protocol/Paths.ts"
import type { Append, Appended } from "../session/Append.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"
import type { BodyError, RequestBodies } from "./RequestBodies.ts"
import { header } from "./RequestHeader.ts"
import type { Exchange } from "./Exchange.ts"

export interface Options {
  /** Bytes of the data of one event. */
  readonly maxEventBytes: number
}

/** Hears how an append ended. */
export type Done = (result: Either.Either<Appended, AppendError | InvalidRequest>) => void

type Conditions = Pick<Append, "expect"> & { readonly key: string | undefined }

const expectation = (
  request: IncomingMessage,
  query: URLSearchParams | undefined
): Either.Either<Append["expect"], InvalidRequest> => {
  const match = header(request, "if-match")
  if (match !== undefined) {
    const cursor = Cursor.parse(match.replace(/^"(.*)"$/, "$1"))
    if (cursor !== undefined) return Either.right(cursor)
    return Either.left(new InvalidRequest({ field: "If-Match", allowed: 'must be "EPOCH.SEQ"' }))
  }
  const expect = query?.get("expect")
  if (expect === undefined || expect === null) return Either.right(undefined)
  if (/^[0-9]{1,15}$/.test(expect)) return Either.right({ epoch: undefined, seq: Number(expect) })
  return Either.left(new InvalidRequest({ field: "expect", allowed: "must be the seq that you take for the head" }))
}

const conditions = (
  request: IncomingMessage,
  query: URLSearchParams | undefined
): Either.Either<Conditions, InvalidRequest> => {
  const expect = expectation(request, query)
  if (Either.isLeft(expect)) return Either.left(expect.left)
  const key = header(request, Paths.idempotencyKey)
  if (key !== undefined && (key.length < 1 || key.length > 255)) {
    return Either.left(new InvalidRequest({ field: "Idempotency-Key", allowed: "must have 1 to 255 characters" }))
  }
  return Either.right({ expect: expect.right, key })
}

const events = (
  request: IncomingMessage,
  text: string,
  maxEventBytes: number
): Either.Either<Append["events"], InvalidRequest | PayloadTooLarge> =>
  (header(request, "content-type") ?? "").toLowerCase().startsWith(Paths.ndjson)
    ? AppendBody.parseNdjson(text, maxEventBytes)
    : AppendBody.parse(text, maxEventBytes)

/** Ids and epochs are of characters that JSON writes as they are. */
const body = (session: SessionId, { epoch, first, head, last }: Appended): string =>
  `{"session":"${session}","epoch":"${epoch}","first":${first},"last":${last},"head":${head}}`

export const make =
  (
    sessions: SessionRegistry["Type"],
    bodies: RequestBodies["Type"],
    options: Options,
    /** Runs an append with an idempotency key, which asks the store first. */
    once: (session: SessionId, append: Omit<Append, "done">, done: Done) => void
  ) =>
  (exchange: Exchange, session: SessionId, query: URLSearchParams | undefined): void => {
    const { request } = exchange
    const asked = conditions(request, query)
    if (Either.isLeft(asked)) return exchange.refuse(asked.left)
    const { expect, key } = asked.right
    const done: Done = (result) =>
      exchange.contain(() => {
        if (Either.isLeft(result)) return exchange.refuse(result.left)
        exchange.send(result.right.repeated ? 200 : 201, body(session, result.right))
      })
    const take = (text: Either.Either<string, BodyError>): void => {
      if (Either.isLeft(text)) return exchange.refuse(text.left)
      const parsed = events(request, text.right, options.maxEventBytes)
      if (Either.isLeft(parsed)) return exchange.refuse(parsed.left)
      if (key === undefined) return sessions.unsafeAppend(session, { events: parsed.right, expect, done })
      const digest = createHash("sha256").update(text.right).digest("hex")
      once(session, { events: parsed.right, expect, receipt: { key, digest } }, done)
    }
    bodies.read(request, (text) => exchange.contain(() => take(text)))
  }
