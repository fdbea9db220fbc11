import { createParser } from "eventsource-parser"

/** What a reader that we did not write makes of a stream. `id` is undefined when the block of the event had none. */
export interface Reading {
  readonly events: ReadonlyArray<{ readonly name: string; readonly data: string; readonly id: string | undefined }>
  readonly retries: ReadonlyArray<number>
  readonly comments: ReadonlyArray<string>
}

/** The independent judge: npm `eventsource-parser`, fed chunk by chunk. */
export const read = (chunks: Iterable<string>): Reading => {
  const events: Array<Reading["events"][number]> = []
  const retries: Array<number> = []
  const comments: Array<string> = []
  const parser = createParser({
    onEvent: ({ data, event, id }) => events.push({ name: event ?? "message", data, id }),
    onRetry: (millis) => retries.push(millis),
    onComment: (text) => comments.push(text)
  })
  for (const chunk of chunks) parser.feed(chunk)
  return { events, retries, comments }
}

/** The same over bytes, as they come from a socket: a chunk may end inside a character. */
export const readBytes = (chunks: Iterable<Uint8Array>): Reading => {
  const decoder = new TextDecoder()
  return read(Array.from(chunks, (chunk) => decoder.decode(chunk, { stream: true })))
}

/** `whole` in pieces, cut at each position of `at` (taken modulo the length); pieces may be empty. */
const cut = (length: number, at: ReadonlyArray<number>): ReadonlyArray<readonly [number, number]> => {
  const bounds = [0, ...at.map((position) => position % (length + 1)).sort((a, b) => a - b), length]
  return bounds.slice(1).map((end, index) => [bounds[index] ?? 0, end])
}

export const cutText = (text: string, at: ReadonlyArray<number>): ReadonlyArray<string> =>
  cut(text.length, at).map(([from, to]) => text.slice(from, to))

export const cutBytes = (bytes: Uint8Array, at: ReadonlyArray<number>): ReadonlyArray<Uint8Array> =>
  cut(bytes.length, at).map(([from, to]) => bytes.subarray(from, to))
