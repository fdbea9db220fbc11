import * as Net from "node:net"
import * as Paths from "../../src/protocol/Paths.ts"
import type { Server } from "./Measure.ts"

/** Ends the data of an event that the readers look for; nothing else on the wire holds it. */
export const mark = "~"

const filler = "the quick brown fox jumps over the lazy dog, "

/** Data of `size` ASCII characters, marked or not. */
const data = (size: number, isMarked: boolean): string =>
  filler.repeat(Math.ceil(size / filler.length)).slice(0, size - 1) + (isMarked ? mark : ".")

export interface Body {
  readonly events?: number
  /** Bytes of the data of each. */
  readonly size?: number
  /** The last event is one that readers look for. */
  readonly isMarked?: boolean
}

/** A whole request, made before the clock runs. */
const post = (path: string, body: string): Buffer =>
  Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`
  )

/** Appends to `session`. */
export const request = (session: string, { events = 1, isMarked = false, size = 128 }: Body = {}): Buffer => {
  const plain = `{"data":"${data(size, false)}"},`.repeat(events - 1)
  const body = `{"events":[${plain}{"data":"${data(size, isMarked)}"}]}`
  return post(Paths.events(session), body)
}

/** Sends an event to streams of the gateway: to the one with this token, or to all. */
export const send = (to: { readonly token: string } | { readonly request_id: null }, isMarked = false): Buffer =>
  post(Paths.internalSend, JSON.stringify({ ...to, event: { data: data(128, isMarked) } }))

/** Keep-alive connections, on each one request at a time. */
export interface Producers {
  /** On the first connection; done when it is acknowledged. */
  readonly post: (request: Buffer) => Promise<void>
  /** On all connections, until `next` has no more; done, with their number, when all are acknowledged. */
  readonly drive: (next: () => Buffer | undefined) => Promise<number>
  readonly close: () => void
}

type Post = (request: Buffer, done: () => void, failed: (error: Error) => void) => void

const connect = async (server: Server): Promise<readonly [Post, Net.Socket]> => {
  let text = ""
  let done: () => void = () => undefined
  let failed: (error: Error) => void = () => undefined

  const read = (part: string): void => {
    text += part
    const end = text.indexOf("\r\n\r\n")
    if (end < 0) return
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1]
    if (length !== undefined && text.length < end + 4 + Number(length)) return
    const answer = text
    text = ""
    if (length === undefined || !answer.startsWith("HTTP/1.1 2")) return failed(new Error(`not taken: ${answer}`))
    done()
  }

  const buffer = Buffer.allocUnsafe(16 * 1024)
  const callback = (length: number): boolean => {
    read(buffer.toString("latin1", 0, length))
    return true
  }
  const socket = Net.connect({ host: "127.0.0.1", port: server.port, noDelay: true, onread: { buffer, callback } })
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject))
  socket.on("error", (error) => failed(error))
  socket.on("end", () => failed(new Error("a producer's connection ended")))
  const post: Post = (request, onDone, onFailed) => {
    done = onDone
    failed = onFailed
    socket.write(request)
  }
  return [post, socket]
}

export const open = async (server: Server, count: number): Promise<Producers> => {
  const connections = await Promise.all(Array.from({ length: count }, () => connect(server)))
  return {
    post: (request) =>
      new Promise((resolve, reject) => {
        connections[0]?.[0](request, resolve, reject)
      }),
    drive: (next) =>
      new Promise((resolve, reject) => {
        let acknowledged = 0
        let busy = connections.length
        for (const [post] of connections) {
          const step = (): void => {
            const request = next()
            if (request !== undefined) return post(request, stepOn, reject)
            if (--busy === 0) resolve(acknowledged)
          }
          const stepOn = (): void => {
            acknowledged++
            step()
          }
          step()
        }
      }),
    close: () => {
      for (const [, socket] of connections) socket.resetAndDestroy()
    }
  }
}

/** For `drive`: one after the other, over and over, or `total` of them. */
export const inTurn = (
  requests: ReadonlyArray<Buffer>,
  total = Number.POSITIVE_INFINITY
): (() => Buffer | undefined) => {
  let at = 0
  return () => (at < total ? requests[at++ % requests.length] : undefined)
}

/** For `drive`: what `next` gives, until `seconds` are over. */
export const during = (seconds: number, next: () => Buffer | undefined): (() => Buffer | undefined) => {
  const end = performance.now() + seconds * 1000
  return () => (performance.now() < end ? next() : undefined)
}
