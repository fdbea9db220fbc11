import { Either } from "effect"
import * as AppendBody from "../domain/AppendBody.ts"
import type { Encoded } from "./EventBatch.ts"

export interface Options {
  /** Lines are events in JSON; else each line is the data of one, with the name `name`. */
  readonly ndjson: boolean
  readonly name: string | undefined
  /** Bytes of the data of one event. */
  readonly maxEventBytes: number
}

/** What a piece of the input gave: events in order, and what is wrong with the line after them. */
export interface Read {
  readonly events: ReadonlyArray<Encoded>
  readonly problem: string | undefined
}

/** Reads lines out of an input that comes in pieces. Holds one unfinished line, which is bounded. */
export interface InputLines {
  readonly feed: (bytes: Uint8Array) => Read
  /** The last line, when the input ends without a line end. */
  readonly end: () => Read
}

/** A line of NDJSON may escape each character of its data (`\u0041`) and has a name: what it can be at most. */
const longestJson = (maxEventBytes: number): number => 6 * maxEventBytes + 4096

/** LF or CRLF ends a line. Invalid UTF-8 becomes U+FFFD; a byte order mark is text like any other. */
export const make = (options: Options): InputLines => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  const longest = options.ndjson ? longestJson(options.maxEventBytes) : options.maxEventBytes
  const named = options.name === undefined ? "" : `"name":${JSON.stringify(options.name)},`
  let line = 0
  let rest = ""

  const tooLong = (text: string): boolean => text.length * 3 > longest && Buffer.byteLength(text) > longest

  const read = (text: string): Either.Either<Encoded | undefined, string> => {
    if (tooLong(text)) return Either.left(`line ${line} has more than ${longest} bytes`)
    if (!options.ndjson) return Either.right({ line, json: `{${named}"data":${JSON.stringify(text)}}` })
    if (text.trim() === "") return Either.right(undefined)
    return Either.mapBoth(AppendBody.parseNdjson(text, options.maxEventBytes), {
      onLeft: (error) => error.message.replace(/^line 1\b/, `line ${line}`),
      onRight: () => ({ line, json: text })
    })
  }

  const readAll = (texts: ReadonlyArray<string>): Read => {
    const events: Array<Encoded> = []
    for (const text of texts) {
      line++
      const event = read(text.endsWith("\r") ? text.slice(0, -1) : text)
      if (Either.isLeft(event)) return { events, problem: event.left }
      if (event.right !== undefined) events.push(event.right)
    }
    return { events, problem: undefined }
  }

  const feed = (text: string): Read => {
    const texts = (rest + text).split("\n")
    rest = texts.pop() ?? ""
    const all = readAll(texts)
    if (all.problem !== undefined || !tooLong(rest)) return all
    return { events: all.events, problem: `line ${line + 1} has more than ${longest} bytes` }
  }

  return {
    feed: (bytes) => feed(decoder.decode(bytes, { stream: true })),
    end: () => {
      const last = rest + decoder.decode()
      rest = ""
      return last === "" ? readAll([]) : readAll([last])
    }
  }
}
