import { Either } from "effect"
import type { ConnectionRegistry, StreamRequest } from "../connection/ConnectionRegistry.ts"
import * as NodeStreamSocket from "../connection/NodeStreamSocket.ts"
import type { SessionId } from "../domain/Session.ts"
import type { InvalidRequest } from "../domain/SessionError.ts"
import * as Paths from "../protocol/Paths.ts"
import type { Exchange } from "./Exchange.ts"
import { header } from "./RequestHeader.ts"
import * as StreamRequests from "./StreamRequest.ts"

/**
 * `GET /v1/sessions/:id/stream` and `GET /v1/stream` (hot path): the bare socket goes to a connection actor. Through the
 * platform an open stream holds 32 KB, a fiber on the socket 9.
 */
export const make = (connections: ConnectionRegistry["Type"], now: () => number) => {
  const open = ({ cors, request }: Exchange, stream: StreamRequest) => {
    const lines = Object.entries(cors)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")
    const isHttp10 = request.httpVersionMajor === 1 && request.httpVersionMinor === 0
    connections.open(NodeStreamSocket.make(request.socket, isHttp10, lines, now()), stream)
  }

  const answer = (exchange: Exchange, stream: Either.Either<StreamRequest, InvalidRequest>) => {
    if (Either.isLeft(stream)) return exchange.refuse(stream.left)
    // Pipelined behind other requests, a response gets its socket when theirs were sent: not before may the stream begin.
    if (exchange.response.socket !== null) return open(exchange, stream.right)
    exchange.response.once("socket", () => open(exchange, stream.right))
  }

  return {
    single: (exchange: Exchange, session: SessionId, query: URLSearchParams | undefined): void =>
      answer(exchange, StreamRequests.single(session, query, header(exchange.request, Paths.lastEventId))),
    many: (exchange: Exchange, query: URLSearchParams | undefined): void =>
      answer(exchange, StreamRequests.many(query, header(exchange.request, Paths.lastEventId)))
  }
}
