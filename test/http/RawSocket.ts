import * as Net from "node:net"
import { Effect } from "effect"

/** A bare TCP client, for requests that no HTTP client sends. */
export interface RawSocket {
  readonly write: (text: string) => Effect.Effect<void>
  readonly writeBytes: (bytes: Uint8Array) => Effect.Effect<void>
  /** Waits until what was received so far is as wanted; dies when the socket closes before. */
  readonly until: (isEnough: (text: string) => boolean) => Effect.Effect<string>
  /** All text, once the server has closed the socket. */
  readonly closed: Effect.Effect<string>
}

/** Connected, until the scope closes. */
export const open = (url: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => Net.connect(Number(new URL(url).port), new URL(url).hostname)),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    (socket): RawSocket => {
      let text = ""
      let isClosed = false
      const attempts = new Set<() => void>()
      const attemptAll = () => {
        for (const attempt of attempts) attempt()
      }
      socket.setEncoding("utf8")
      socket.on("error", () => {}) // `close` follows
      socket.on("data", (part: string) => {
        text += part
        attemptAll()
      })
      socket.on("close", () => {
        isClosed = true
        attemptAll()
      })
      const awaitText = (isEnough: (text: string) => boolean) =>
        Effect.async<string>((resume) => {
          const attempt = () => {
            if (!isEnough(text) && !isClosed) return
            attempts.delete(attempt)
            resume(isEnough(text) ? Effect.succeed(text) : Effect.dieMessage(`the socket closed after: ${text}`))
          }
          attempts.add(attempt)
          attempt()
          return Effect.sync(() => attempts.delete(attempt))
        })
      return {
        write: (more) => Effect.sync(() => socket.write(more)),
        writeBytes: (more) => Effect.sync(() => socket.write(more)),
        until: awaitText,
        closed: awaitText(() => isClosed)
      }
    }
  )

/** A request's head in text; `headers` beside `Host`. */
export const head = (line: string, headers: ReadonlyArray<string> = []): string =>
  [line, "Host: 127.0.0.1", ...headers, "", ""].join("\r\n")
