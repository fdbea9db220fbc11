import { Either } from "effect"
import * as CallbackRequest from "../callback/CallbackRequest.ts"
import type { StreamSocket } from "../connection/StreamSocket.ts"
import * as SendRequest from "../domain/SendRequest.ts"
import type { ConnectError, ConnectFlow, Visitor } from "../gateway/ConnectFlow.ts"
import type { SendError, Sent } from "../gateway/Gateway.ts"
import type { Profile } from "../gateway/Profile.ts"
import type { Exchange } from "./Exchange.ts"
import type { BodyError, RequestBodies } from "./RequestBodies.ts"
import * as StreamRoutes from "./StreamRoutes.ts"

export interface Options {
  readonly profile: Profile
  /** Paths below it are streams; without a slash at its end, so empty for all paths. */
  readonly prefix: string
  /** Request headers that the backend is told, in lower case. */
  readonly headers: CallbackRequest.Headers
}

interface Limits {
  /** Bytes of the data of one event. */
  readonly maxEventBytes: number
}

const nothing = (): void => {}

/** A client that waits while the backend is asked. */
class WaitingClient implements Visitor {
  onLeave = nothing
  private isAnswered = false
  private readonly exchange: Exchange
  private readonly takeSocket: () => StreamSocket

  constructor(exchange: Exchange, takeSocket: () => StreamSocket) {
    this.exchange = exchange
    this.takeSocket = takeSocket
    exchange.response.once("close", () => this.onLeave())
  }

  accept(): StreamSocket {
    this.isAnswered = true
    return this.takeSocket()
  }

  refuse(error: ConnectError): void {
    if (this.isAnswered) return
    this.isAnswered = true
    this.exchange.refuse(error)
  }

  fail(): void {
    if (this.isAnswered) this.exchange.request.socket.destroy()
    else this.exchange.fail()
  }
}

const sentBody = ({ connections, status }: Sent): string =>
  connections === undefined ? `{"status":"${status}"}` : `{"status":"${status}","connections":${connections}}`

/**
 * The routes of the gateway (contract §4; hot path): `GET` below the prefix asks the backend, `POST /internal/send` writes
 * to connections. `send` runs a send and tells how it ended.
 */
export const make = (
  flow: ConnectFlow["Type"],
  send: (request: SendRequest.SendRequest, done: (sent: Either.Either<Sent, SendError>) => void) => void,
  bodies: RequestBodies["Type"],
  options: Options & Limits,
  now: () => number
) => ({
  takes: (path: string): boolean => options.profile.takes(path, options.prefix),

  connect: (exchange: Exchange): void =>
    StreamRoutes.whenSocket(exchange, () => {
      const { request } = exchange
      const takeSocket = () => StreamRoutes.takeSocket(exchange, options.profile.cacheControl, now())
      const asked = CallbackRequest.make(request.url ?? "/", request.rawHeaders, options.headers)
      flow.connect(new WaitingClient(exchange, takeSocket), asked)
    }),

  send: (exchange: Exchange): void => {
    const done = (sent: Either.Either<Sent, SendError>) =>
      exchange.contain(() => {
        if (Either.isLeft(sent)) exchange.refuse(sent.left)
        else exchange.send(200, sentBody(sent.right))
      })
    const take = (text: Either.Either<string, BodyError>): void => {
      if (Either.isLeft(text)) return exchange.refuse(text.left)
      const parsed = SendRequest.parse(text.right, options.maxEventBytes)
      if (Either.isLeft(parsed)) return exchange.refuse(parsed.left)
      send(parsed.right, done)
    }
    bodies.read(exchange.request, (text) => exchange.contain(() => take(text)))
  }
})
