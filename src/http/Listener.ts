/**
 * The front of the server: one request listener that answers the hot routes itself and hands all others to the platform's
 * router. Guard, limits and errors are the same for both.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Cause, Context, Effect, Either, FiberSet, Layer, Option } from "effect"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import { isSessionId, type SessionId, sessionIdRule } from "../domain/Session.ts"
import { WriteFailed } from "../domain/GatewayError.ts"
import { InvalidRequest, SessionInterrupted } from "../domain/SessionError.ts"
import { ConnectFlow } from "../gateway/ConnectFlow.ts"
import { Gateway } from "../gateway/Gateway.ts"
import * as Paths from "../protocol/Paths.ts"
import type { Append } from "../session/Append.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import * as AppendRoute from "./AppendRoute.ts"
import * as ClientScript from "./ClientScript.ts"
import * as EndedStream from "./EndedStream.ts"
import { Exchange, type Headers } from "./Exchange.ts"
import * as GatewayRoutes from "./GatewayRoutes.ts"
import * as Guard from "./Guard.ts"
import * as Page from "./Page.ts"
import { RequestBodies } from "./RequestBodies.ts"
import { MethodNotAllowed } from "./RequestError.ts"
import * as StreamRoutes from "./StreamRoutes.ts"

export interface Options extends Guard.Options, AppendRoute.Options {
  readonly gateway: GatewayRoutes.Options
}

/** A listener for `node:http`; the host decides where it listens. */
export class Listener extends Context.Tag("sluice/http/Listener")<
  Listener,
  (request: IncomingMessage, response: ServerResponse) => void
>() {}

/** The part of a session's route that stands for it. `undefined`: not one id, as it stands or percent-encoded. */
const readId = (raw: string): SessionId | undefined => {
  if (isSessionId(raw)) return raw
  if (!/^(?:[^%]|%[0-9A-Fa-f]{2})*$/.test(raw)) return undefined
  const text = raw.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return isSessionId(text) ? text : undefined
}

const badId = new InvalidRequest({ field: "session", allowed: sessionIdRule })

export const make = (options: Options) =>
  Effect.gen(function* () {
    const sessions = yield* SessionRegistry
    const connections = yield* ConnectionRegistry
    const flow = yield* ConnectFlow
    const gateway = yield* Gateway
    const bodies = yield* RequestBodies
    const clock = yield* Effect.clock
    const fork = yield* FiberSet.makeRuntime<never>()
    const guard = Guard.make(options)
    const streams = StreamRoutes.make(connections, EndedStream.make(sessions, fork), () =>
      clock.unsafeCurrentTimeMillis()
    )
    const app = yield* HttpRouter.withRouterConfig(HttpApiBuilder.httpApp, { maxParamLength: 512 })
    const platform = yield* NodeHttpServer.makeHandler(app)

    /** Not interrupted when the client leaves: the next request with the key must find the outcome. */
    const once = (session: SessionId, append: Omit<Append, "done">, done: AppendRoute.Done): void => {
      fork(
        Effect.matchCause(sessions.append(session, append), {
          onSuccess: (appended) => done(Either.right(appended)),
          onFailure: (cause) =>
            done(Either.left(Option.getOrElse(Cause.failureOption(cause), () => new SessionInterrupted({ session }))))
        })
      )
    }
    const clientScript = ClientScript.make()
    const append = AppendRoute.make(sessions, bodies, options, once)

    const gatewayRoutes = GatewayRoutes.make(
      flow,
      (request, done) => {
        fork(
          Effect.matchCause(gateway.send(request), {
            onSuccess: (sent) => done(Either.right(sent)),
            onFailure: (cause) =>
              done(Either.left(Option.getOrElse(Cause.failureOption(cause), () => new WriteFailed())))
          })
        )
      },
      bodies,
      { ...options, ...options.gateway },
      () => clock.unsafeCurrentTimeMillis()
    )

    /** False: none of the hot routes. A bad session id is refused here for all routes. */
    const hot = (exchange: Exchange, path: string, query: string | undefined): boolean => {
      const { method } = exchange.request
      if (method === "GET" && path === Paths.manyStream) {
        streams.many(exchange, parameters(query))
        return true
      }
      if (method === "POST" && path === Paths.internalSend) {
        gatewayRoutes.send(exchange)
        return true
      }
      if (!path.startsWith(sessionPrefix)) return false
      const slash = path.indexOf("/", sessionPrefix.length)
      const route = slash < 0 ? "" : path.slice(slash + 1)
      const session = readId(slash < 0 ? path.slice(sessionPrefix.length) : path.slice(sessionPrefix.length, slash))
      if (session === undefined) exchange.refuse(badId)
      else if (method === "POST" && route === "events") append(exchange, session, parameters(query))
      else if (method === "GET" && route === "stream") streams.single(exchange, session, parameters(query))
      else return false
      return true
    }

    const onDefect = (defect: unknown): void => {
      fork(Effect.logError("a request died", Cause.die(defect)))
    }

    const answer = (exchange: Exchange, cors: Headers): void => {
      const { request, response } = exchange
      const url = request.url ?? "/"
      const mark = url.indexOf("?")
      const path = mark < 0 ? url : url.slice(0, mark)
      const isGateway = gatewayRoutes.takes(path)
      // Whom the gateway lets in is the backend's to say, and nothing is read but what it is told.
      if (isGateway && request.method === "GET") return gatewayRoutes.connect(exchange)
      const refused = guard.check(request, path) ?? bodies.problem(request)
      if (refused !== undefined) return exchange.refuse(refused, closing)
      if (hot(exchange, path, mark < 0 ? undefined : url.slice(mark + 1))) return
      const wrongMethod = methodProblem(request.method ?? "GET", path, isGateway)
      if (wrongMethod !== undefined) return exchange.refuse(wrongMethod, closing)
      for (const [name, value] of Object.entries(cors)) response.setHeader(name, value)
      if (request.method === "OPTIONS") {
        response.writeHead(204, guard.preflight(cors))
        return void response.end()
      }
      if (path === "/") return Page.send(response)
      if (path === Paths.clientScript) return clientScript(exchange)
      platform(request, response)
    }

    return (request: IncomingMessage, response: ServerResponse): void => {
      const cors = guard.cors(request)
      const exchange = new Exchange(request, response, cors, onDefect)
      exchange.contain(() => answer(exchange, cors))
    }
  })

const sessionPrefix = `${Paths.sessions}/`
/** After a refusal the rest of the body is not read. */
const closing = { Connection: "close" }

const parameters = (query: string | undefined): URLSearchParams | undefined =>
  query === undefined ? undefined : new URLSearchParams(query)

const routes: ReadonlyArray<readonly [RegExp, string]> = [
  [/^\/$/, "GET, HEAD"],
  [/^\/client\.js$/, "GET, HEAD"],
  [/^\/(?:healthz|readyz|metrics)$/, "GET, HEAD"],
  [/^\/v1\/stream$/, "GET"],
  [/^\/v1\/sessions$/, "GET"],
  [/^\/v1\/sessions\/[^/]+$/, "GET, DELETE"],
  [/^\/v1\/sessions\/[^/]+\/events$/, "GET, POST"],
  [/^\/v1\/sessions\/[^/]+\/stream$/, "GET"],
  [/^\/v1\/sessions\/[^/]+\/state$/, "PUT"],
  [/^\/v1\/sessions\/[^/]+\/(?:messages|interrupt|stop)$/, "POST"],
  [/^\/v1\/connections\/[^/]+\/(?:watch|unwatch|suspend)$/, "POST"],
  [/^\/v1\/(?:broadcast|revoke)$/, "POST"],
  [/^\/v1\/retained\/[^/]+$/, "GET, PUT, DELETE"],
  [/^\/v1\/connections$/, "GET"],
  [/^\/v1\/connections\/[^/]+$/, "DELETE"],
  [/^\/v1\/dead-letters$/, "GET"],
  [/^\/v1\/dead-letters\/[^/]+\/retry$/, "POST"],
  [/^\/internal\/send$/, "POST"]
]

/** A known path with a method that it has not. An unknown path is the router's to refuse. */
const methodProblem = (method: string, path: string, isGateway: boolean): MethodNotAllowed | undefined => {
  if (method === "OPTIONS") return undefined
  const allow = routes.find(([pattern]) => pattern.test(path))?.[1] ?? (isGateway ? "GET" : undefined)
  return allow === undefined || allow.split(", ").includes(method) ? undefined : new MethodNotAllowed({ method, allow })
}

export const layer = (options: Options) =>
  Layer.scoped(Listener, make(options)).pipe(Layer.provide(HttpServer.layerContext))
