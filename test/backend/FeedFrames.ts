import { assert } from "@effect/vitest"
import type * as BackendRooms from "./BackendRooms.ts"

/** An event of the feed: its cursor in two, and what else it says. */
export interface Frame {
  readonly name: string | undefined
  readonly epoch: string
  readonly seq: number
  readonly body: { readonly [key: string]: unknown }
}

/** What a token was told by the feed. */
export const framesOf = (rooms: BackendRooms.Rooms, token: string): ReadonlyArray<Frame> =>
  rooms
    .told(token)
    .filter(({ name }) => name !== "version")
    .map(({ data: { cursor, ...body }, name }) => {
      const [epoch = "", seq = ""] = String(cursor).split(".")
      return { name, epoch, seq: Number(seq), body }
    })

/** Cursors are 0, 1, 2 … of one epoch, the first of them a snapshot. */
export const assertWhole = (frames: ReadonlyArray<Frame>): void => {
  assert.deepEqual(
    frames.map(({ seq }) => seq),
    frames.map((_, index) => index)
  )
  assert.isAtMost(new Set(frames.map(({ epoch }) => epoch)).size, 1)
  assert.deepEqual(
    frames.map(({ name }) => name === "snapshot"),
    frames.map((_, index) => index === 0)
  )
}
