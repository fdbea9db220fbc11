import * as Net from "node:net"
import type { Server } from "./Measure.ts"
import { mark } from "./Producers.ts"

export interface Options {
  readonly count: number
  /** Path and query of each. */
  readonly pathOf: (index: number) => string
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

const head = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Done when every stream has got its first bytes. Fails when one was refused. */
export const open = async (server: Server, { count, pathOf }: Options): Promise<Readers> => {
  const sockets: Array<Net.Socket> = []
  let bytes = 0
  let marks = 0
  let awaited = Number.POSITIVE_INFINITY
  let arrived: () => void = () => undefined
  let broken: (error: Error) => void = () => undefined

  const connect = (path: string): Promise<void> =>
    new Promise((resolve, reject) => {
      let isAnswered = false
      const callback = (length: number): boolean => {
        if (!isAnswered) {
          isAnswered = true
          const status = shared.toString("latin1", "HTTP/1.1 ".length, "HTTP/1.1 200".length)
          if (status !== "200") fail(new Error(`a stream was refused: ${status}`))
          resolve()
        }
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
      socket.write(head(path))
      sockets.push(socket)
    })

  let next = 0
  const connectAll = async (): Promise<void> => {
    while (next < count) await connect(pathOf(next++))
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
export const openSilent = (server: Server, path: string): Promise<() => void> =>
  new Promise((resolve, reject) => {
    const socket = Net.connect({ host: "127.0.0.1", port: server.port })
    socket.pause()
    socket.once("error", reject)
    socket.once("connect", () => socket.write(head(path), () => resolve(() => socket.resetAndDestroy())))
  })
