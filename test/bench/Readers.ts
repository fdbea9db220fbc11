import * as Net from "node:net"
import * as Paths from "../../src/protocol/Paths.ts"
import type { Server } from "./Measure.ts"
import { mark } from "./Producers.ts"

export interface Options {
  readonly count: number
  readonly sessionOf: (index: number) => string
  /** From the first event; else from the head. */
  readonly isFromStart?: boolean
}

/** A herd of streams. Bare sockets: the load must cost little beside what is measured. */
export interface Readers {
  /** Of all streams since they were opened, HTTP included. */
  readonly bytes: () => number
  /** Marked events that have arrived, on all streams together. */
  readonly marks: () => number
  /** Done when there are `total` of them, now or later. */
  readonly marked: (total: number) => Promise<void>
  /** Resets the connections, so that no port stays taken, and gives the server a moment to notice. */
  readonly close: () => Promise<void>
}

/** Connects that are under way at once. */
const pace = 128

const markByte = mark.charCodeAt(0)

/** All sockets read into this one: whatever is in it has been looked at when the callback returns. */
const shared = Buffer.allocUnsafe(256 * 1024)

const head = (session: string, isFromStart: boolean): string =>
  `GET ${Paths.stream(session)}${isFromStart ? "?from=start" : ""} HTTP/1.1\r\nHost: localhost\r\n\r\n`

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Done when every stream has got its first bytes. */
export const open = async (server: Server, { count, isFromStart = false, sessionOf }: Options): Promise<Readers> => {
  const sockets: Array<Net.Socket> = []
  let bytes = 0
  let marks = 0
  let awaited = Number.POSITIVE_INFINITY
  let arrived: () => void = () => undefined
  let broken: (error: Error) => void = () => undefined

  const connect = (session: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const callback = (length: number): boolean => {
        resolve()
        bytes += length
        const at = shared.subarray(0, length).indexOf(markByte)
        if (at >= 0 && ++marks >= awaited) arrived()
        return true
      }
      const socket = Net.connect({ host: "127.0.0.1", port: server.port, onread: { buffer: shared, callback } })
      const fail = (error: Error) => {
        reject(error)
        broken(error)
      }
      socket.once("error", fail)
      socket.once("end", () => fail(new Error("a stream ended")))
      socket.write(head(session, isFromStart))
      sockets.push(socket)
    })

  let next = 0
  const connectAll = async (): Promise<void> => {
    while (next < count) await connect(sessionOf(next++))
  }
  await Promise.all(Array.from({ length: Math.min(pace, count) }, connectAll))

  return {
    bytes: () => bytes,
    marks: () => marks,
    marked: (total) =>
      new Promise((resolve, reject) => {
        if (marks >= total) return resolve()
        awaited = total
        arrived = resolve
        broken = reject
      }),
    close: async () => {
      for (const socket of sockets) socket.resetAndDestroy()
      await pause(100)
    }
  }
}

/** A stream that is opened and then never read. Answers how to reset it. */
export const openSilent = (server: Server, session: string): Promise<() => void> =>
  new Promise((resolve, reject) => {
    const socket = Net.connect({ host: "127.0.0.1", port: server.port })
    socket.pause()
    socket.once("error", reject)
    socket.once("connect", () => socket.write(head(session, false), () => resolve(() => socket.resetAndDestroy())))
  })
