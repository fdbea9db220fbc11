/**
 * A reader's place in a log: the last event it has. Written `epoch.seq` in an SSE `id:`.
 * It gives a position, never a right (design §4).
 */
export interface Cursor {
  readonly epoch: string
  readonly seq: number
}

/** The place before a log that does not exist yet. Its epoch belongs to no log. */
export const origin: Cursor = { epoch: "0", seq: 0 }

export const isOrigin = (cursor: Cursor): boolean => cursor.epoch === origin.epoch

export const format = (cursor: Cursor): string => `${cursor.epoch}.${cursor.seq}`

const pattern = /^([a-z0-9]{1,32})\.(0|[1-9][0-9]{0,15})$/

/** `undefined` when the text is not a cursor. A `seq` above 2^53 - 1 is none. */
export const parse = (text: string): Cursor | undefined => {
  const [, epoch = "", digits] = pattern.exec(text) ?? []
  const seq = Number(digits) // not a number where nothing matched
  return Number.isSafeInteger(seq) ? { epoch, seq } : undefined
}
