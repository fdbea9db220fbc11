import type { IncomingMessage } from "node:http"
import { Either } from "effect"
import type { ConnectionRegistry, StreamRequest } from "../connection/ConnectionRegistry.ts"
import * as NodeStreamSocket from "../connection/NodeStreamSocket.ts"
import type { SessionId } from "../domain/Session.ts"
import type { InvalidRequest } from "../domain/SessionError.ts"
import * as Paths from "../protocol/Paths.ts"
import { header } from "./RequestHeader.ts"
import * as StreamRequests from "./StreamRequest.ts"

/**
 * `GET /v1/sessions/:id/stream` and `GET /v1/stream` (hot path): the bare socket goes to a connection actor. Through the
 * platform an open stream holds 32 KB, a fiber on the socket 9.
 */
export const make = (connections: ConnectionRegistry["Type"], now: () => number) => {
  const open = (
    request: IncomingMessage,
    parsed: Either.Either<StreamRequest, InvalidRequest>,
    headers: Readonly<Record<string, string>>,
    refuse: (error: InvalidRequest) => void
  ) => {
    if (Either.isLeft(parsed)) return refuse(parsed.left)
    const lines = Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")
    const isHttp10 = request.httpVersionMajor === 1 && request.httpVersionMinor === 0
    connections.open(NodeStreamSocket.make(request.socket, isHttp10, lines, now()), parsed.right)
  }

  return {
    single: (
      request: IncomingMessage,
      session: SessionId,
      query: URLSearchParams | undefined,
      headers: Readonly<Record<string, string>>,
      refuse: (error: InvalidRequest) => void
    ) => open(request, StreamRequests.single(session, query, header(request, Paths.lastEventId)), headers, refuse),
    many: (
      request: IncomingMessage,
      query: URLSearchParams | undefined,
      headers: Readonly<Record<string, string>>,
      refuse: (error: InvalidRequest) => void
    ) => open(request, StreamRequests.many(query, header(request, Paths.lastEventId)), headers, refuse)
  }
}
