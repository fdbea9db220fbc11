/** What a reader of streams needs, in plain TypeScript without a package: decoding, places, gaps, waits. */
export * as Backoff from "../protocol/Backoff.ts"
export * as ControlFrame from "../protocol/ControlFrame.ts"
export * as Cursor from "../protocol/Cursor.ts"
export * as FrameDecoder from "../protocol/FrameDecoder.ts"
export * as VectorCursor from "../protocol/VectorCursor.ts"
export * as History from "./core/History.ts"
export * as Reader from "./core/Reader.ts"
