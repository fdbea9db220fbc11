import { Either } from "effect"
import type { ConnectionRegistry, StreamRequest } from "../connection/ConnectionRegistry.ts"
import * as NodeStreamSocket from "../connection/NodeStreamSocket.ts"
import type { StreamSocket } from "../connection/StreamSocket.ts"
import type { SessionId } from "../domain/Session.ts"
import type { InvalidRequest } from "../domain/SessionError.ts"
import * as Paths from "../protocol/Paths.ts"
import * as EndedStream from "./EndedStream.ts"
import type { Exchange } from "./Exchange.ts"
import { header } from "./RequestHeader.ts"
import * as StreamRequests from "./StreamRequest.ts"

/**
 * Takes the bare socket of a request over for a stream (hot path). Through the platform an open stream holds 32 KB, a
 * fiber on the socket 9.
 */
export const takeSocket = ({ cors, request }: Exchange, cacheControl: string, now: number): StreamSocket => {
  const headers = Object.entries(cors)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")
  const isHttp10 = request.httpVersionMajor === 1 && request.httpVersionMinor === 0
  return NodeStreamSocket.make(request.socket, { isHttp10, cacheControl, headers }, now)
}

/** Pipelined behind other requests, a response gets its socket when theirs were sent: not before may a stream begin. */
export const whenSocket = ({ response }: Exchange, begin: () => void): void => {
  if (response.socket === null) response.once("socket", begin)
  else begin()
}

/** `GET /v1/sessions/:id/stream` and `GET /v1/stream`: the socket goes to a connection actor. */
export const make = (
  connections: ConnectionRegistry["Type"],
  hasAll: ReturnType<typeof EndedStream.make>,
  now: () => number
) => {
  const open = (exchange: Exchange, stream: StreamRequest) =>
    whenSocket(exchange, () => connections.open(takeSocket(exchange, "no-cache, no-transform", now()), stream))

  const answer = (exchange: Exchange, stream: Either.Either<StreamRequest, InvalidRequest>) => {
    if (Either.isLeft(stream)) return exchange.refuse(stream.left)
    if (header(exchange.request, Paths.lastEventId) === undefined) return open(exchange, stream.right)
    hasAll(stream.right, (hasAll) =>
      exchange.contain(() => (hasAll ? exchange.empty(EndedStream.status) : open(exchange, stream.right)))
    )
  }

  return {
    single: (exchange: Exchange, session: SessionId, query: URLSearchParams | undefined): void =>
      answer(exchange, StreamRequests.single(session, query, header(exchange.request, Paths.lastEventId))),
    many: (exchange: Exchange, query: URLSearchParams | undefined): void =>
      answer(exchange, StreamRequests.many(query, header(exchange.request, Paths.lastEventId)))
  }
}
