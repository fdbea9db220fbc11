import * as Http from "node:http"
import { Effect, FiberSet, Predicate } from "effect"

/** One request that arrived whole, in the order of arrival. What a callback does not say is empty text. */
export interface Call {
  readonly method: string
  /** Path and query as they came. */
  readonly target: string
  readonly headers: Http.IncomingHttpHeaders
  /** The body as it came. */
  readonly text: string
  /** The same, read; `undefined` when it is no JSON object. */
  readonly json: Readonly<Record<string, unknown>> | undefined
  /** `connect` or `disconnect`. */
  readonly action: string
  readonly token: string
  /** Of a disconnect. */
  readonly reason: string
  /** What the client had asked for. */
  readonly request: { readonly url: string; readonly headers: Readonly<Record<string, unknown>> }
  /** When it arrived, by `performance.now()`. */
  readonly at: number
  /** Done when the caller broke off before it had the whole answer. */
  readonly aborted: Effect.Effect<void>
}

/** What a call is answered with. */
export type Reply =
  | {
      readonly _tag: "Answer"
      readonly status: number
      readonly body?: string
      readonly headers?: Http.OutgoingHttpHeaders
      /** The reason phrase; the standard one when left out. */
      readonly reason?: string
    }
  /** Nothing, until the caller gives up. */
  | { readonly _tag: "Never" }
  /** The connection is reset before any answer. */
  | { readonly _tag: "Reset" }
  /** The head says 200, then the connection breaks in the middle of the body. */
  | { readonly _tag: "Cut" }
  /** The head says 200, and the body never ends: some bytes a second. */
  | { readonly _tag: "Endless" }

export const answer = (
  status: number,
  more: Omit<Extract<Reply, { _tag: "Answer" }>, "_tag" | "status"> = {}
): Reply => ({
  _tag: "Answer",
  status,
  ...more
})
/** 200 and nothing else. */
export const accept: Reply = answer(200)
/** 200 and a JSON body. */
export const acceptWith = (body: unknown): Reply =>
  answer(200, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } })
export const never: Reply = { _tag: "Never" }
export const reset: Reply = { _tag: "Reset" }
export const cut: Reply = { _tag: "Cut" }
export const endless: Reply = { _tag: "Endless" }

/** How a call is answered: what must come first (a latch, a request back to the caller) is in the effect. */
export type Script = (call: Call) => Effect.Effect<Reply>

/** Always the same. */
export const always =
  (reply: Reply): Script =>
  () =>
    Effect.succeed(reply)

/** The first call gets the first reply, and so on; the last one stays. */
export const inTurn = (first: Reply, ...more: ReadonlyArray<Reply>): Script => {
  const left = [...more]
  let next = first
  return () => {
    const reply = next
    next = left.shift() ?? next
    return Effect.succeed(reply)
  }
}

/** A backend that hears of connects and disconnects. It accepts all of them, until it is told otherwise. */
export interface TestBackend {
  /** The callback's. Any other path of the same server is heard as well. */
  readonly url: string
  /** All that arrived so far. */
  readonly calls: () => ReadonlyArray<Call>
  /** Of a connect from now on. */
  readonly onConnect: (script: Script) => void
  /** Of a disconnect from now on. */
  readonly onDisconnect: (script: Script) => void
  /** Of a message to a session from now on. */
  readonly onMessage: (script: Script) => void
  /** All connects, as soon as there are at least `count`. */
  readonly connects: (count: number) => Effect.Effect<ReadonlyArray<Call>>
  /** All disconnects, repeated ones included, as soon as there are at least `count`: of one token, or of all. */
  readonly disconnects: (count: number, token?: string) => Effect.Effect<ReadonlyArray<Call>>
  /** All messages, repeated ones included, as soon as there are at least `count`. */
  readonly messages: (count: number) => Effect.Effect<ReadonlyArray<Call>>
  /** Waits until the calls so far are as wanted. */
  readonly until: (isEnough: (calls: ReadonlyArray<Call>) => boolean) => Effect.Effect<ReadonlyArray<Call>>
  /** Cuts all connections and refuses new ones. What was heard stays. */
  readonly stop: Effect.Effect<void>
  /** Listens again, at the same place. */
  readonly start: Effect.Effect<void>
}

/**
 * Below the ports that systems give to clients: nobody can take the place of a backend that was stopped, and a client that
 * knocks there cannot meet itself.
 */
const somePort = (): number => 10_000 + Math.floor(Math.random() * 20_000)

const listen = (server: Http.Server, port: number) =>
  Effect.async<void, NodeJS.ErrnoException>((resume) => {
    const fail = (error: NodeJS.ErrnoException) => resume(Effect.fail(error))
    server.once("error", fail)
    server.listen(port, "127.0.0.1", () => {
      server.off("error", fail)
      resume(Effect.void)
    })
  })

const listenAnywhere = (server: Http.Server): Effect.Effect<number> =>
  Effect.suspend(() => {
    const port = somePort()
    return Effect.as(listen(server, port), port)
  }).pipe(
    Effect.catchIf(
      (error) => error.code === "EADDRINUSE",
      () => listenAnywhere(server)
    ),
    Effect.orDie
  )

const close = (server: Http.Server) =>
  Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

const record = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const json: unknown = JSON.parse(text)
    return Predicate.isRecord(json) ? json : undefined
  } catch {
    return undefined
  }
}

const textOf = (value: unknown): string => (Predicate.isString(value) ? value : "")

const read = (incoming: Http.IncomingMessage, response: Http.ServerResponse, text: string): Call => {
  const json = record(text)
  const request = Predicate.isRecord(json?.["request"]) ? json["request"] : {}
  let isAborted = false
  response.once("close", () => {
    isAborted = !response.writableFinished
  })
  return {
    method: incoming.method ?? "",
    target: incoming.url ?? "",
    headers: incoming.headers,
    text,
    json,
    action: textOf(json?.["action"]),
    token: textOf(json?.["token"]),
    reason: textOf(json?.["reason"]),
    request: { url: textOf(request["url"]), headers: Predicate.isRecord(request["headers"]) ? request["headers"] : {} },
    at: performance.now(),
    aborted: Effect.async((resume) => {
      const attempt = () => {
        if (isAborted) resume(Effect.void)
      }
      response.once("close", attempt)
      attempt()
      return Effect.sync(() => response.off("close", attempt))
    })
  }
}

const give = (response: Http.ServerResponse, reply: Reply): void => {
  switch (reply._tag) {
    case "Answer":
      response.writeHead(reply.status, reply.reason ?? Http.STATUS_CODES[reply.status], reply.headers)
      response.end(reply.body)
      return
    case "Never":
      return
    case "Reset":
      response.socket?.resetAndDestroy()
      return
    case "Cut":
      response.writeHead(200, { "Content-Length": 1000 })
      response.write("{", () => response.socket?.destroy())
      return
    case "Endless": {
      response.writeHead(200)
      const drip = setInterval(() => response.write(" "), 20)
      response.once("close", () => clearInterval(drip))
    }
  }
}

/** Real, at a free port of loopback, until its scope closes. */
export const make = Effect.gen(function* () {
  const calls: Array<Call> = []
  const attempts = new Set<() => void>()
  const scripts = { connect: always(accept), disconnect: always(accept), message: always(accept) }
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => Http.createServer()),
    (server) => close(server)
  )
  const port = yield* listenAnywhere(server)
  const fork = yield* FiberSet.makeRuntime<never>()

  const script = ({ action }: Call): Script => {
    if (action === "connect" || action === "disconnect" || action === "message") return scripts[action]
    return always(answer(404))
  }

  const arrived = (call: Call, response: Http.ServerResponse): void => {
    calls.push(call)
    for (const attempt of attempts) attempt()
    fork(
      Effect.suspend(() => script(call)(call)).pipe(
        Effect.map((reply) => give(response, reply)),
        // The caller must not take a script's mistake for the reset that a test may want.
        Effect.catchAllCause((cause) =>
          Effect.zipRight(
            Effect.logError("the script of a TestBackend failed", cause),
            Effect.sync(() => give(response, answer(500)))
          )
        )
      )
    )
  }

  server.on("request", (incoming: Http.IncomingMessage, response: Http.ServerResponse) => {
    let text = ""
    incoming.setEncoding("utf8").on("data", (part: string) => {
      text += part
    })
    incoming.once("end", () => arrived(read(incoming, response, text), response))
    response.on("error", () => {}) // its caller is gone
  })

  const until = (isEnough: (calls: ReadonlyArray<Call>) => boolean) =>
    Effect.async<ReadonlyArray<Call>>((resume) => {
      const attempt = () => {
        if (!isEnough(calls)) return
        attempts.delete(attempt)
        resume(Effect.sync(() => [...calls]))
      }
      attempts.add(attempt)
      attempt()
      return Effect.sync(() => attempts.delete(attempt))
    })

  const some = (count: number, isSuch: (call: Call) => boolean) =>
    Effect.map(
      until((calls) => calls.filter(isSuch).length >= count),
      (calls) => calls.filter(isSuch)
    )

  const backend: TestBackend = {
    url: `http://127.0.0.1:${port}/callback`,
    calls: () => [...calls],
    onConnect: (script) => {
      scripts.connect = script
    },
    onDisconnect: (script) => {
      scripts.disconnect = script
    },
    onMessage: (script) => {
      scripts.message = script
    },
    messages: (count) => some(count, ({ action }) => action === "message"),
    connects: (count) => some(count, ({ action }) => action === "connect"),
    disconnects: (count, token) =>
      some(count, (call) => call.action === "disconnect" && (token === undefined || call.token === token)),
    until,
    stop: close(server),
    start: Effect.orDie(listen(server, port))
  }
  return backend
})
