import { Either } from "effect"
import * as AppendBody from "../domain/AppendBody.ts"
import type { NewEvent } from "../domain/Event.ts"
import * as Json from "../domain/Json.ts"

/** What a program writes: lines of text, or events in JSON, one a line. */
export type Format = "text" | "json"

export interface Options {
  /** The events of raw lines have it as their name. */
  readonly source: "stdout" | "stderr"
  /** With `json`, lines of stdout may be events; those of stderr are raw always. */
  readonly format: Format
  /** Bytes of UTF-8 of a line and of the data of one event, at least 4; `defaultMaxLineBytes` when absent. */
  readonly maxLineBytes?: number
}

/** As much as an event may have by default. */
export const defaultMaxLineBytes = 256 * 1024

/** Reads events out of one output of a program that comes in pieces, cut anywhere. Holds less than a line and a piece. */
export interface OutputLines {
  readonly feed: (text: string) => ReadonlyArray<NewEvent>
  /** The last line, when the output ends without a line end. Nothing is fed after it. */
  readonly end: () => ReadonlyArray<NewEvent>
}

const utf8 = new TextEncoder()

/** UTF-16 units of the longest start of `text` that has at most `maxBytes`, whole code points only. */
const fitting = (text: string, maxBytes: number): { readonly read: number; readonly written: number } =>
  // A pair that the slice would halve has no room left: each of the units before it took a byte.
  utf8.encodeInto(text.slice(0, maxBytes), new Uint8Array(maxBytes))

const endsInHalfPair = (text: string): boolean => (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800

/**
 * LF or CRLF ends a line. With `json` a line is an event when `AppendBody` takes it as one: data within the bound, a name
 * that may be published. Every other line is raw, so that nothing is lost; longer ones are raw in several events.
 */
export const make = ({ format, maxLineBytes = defaultMaxLineBytes, source }: Options): OutputLines => {
  const isJson = format === "json" && source === "stdout"
  /** The unfinished line, without what was cut off it already; its bytes are counted once, as they come. */
  let line = ""
  let bytes = 0
  let isCut = false
  /** A first half of a pair: its bytes are known when the second comes. */
  let half = ""

  const event = (text: string): NewEvent => {
    const raw = { name: source, data: text }
    if (!isJson || isCut || !text.includes("{")) return raw
    const read = Either.flatMap(Json.parse(text), (json) => AppendBody.readEvent(json, "", maxLineBytes))
    return Either.getOrElse(read, () => raw)
  }

  const add = (text: string): void => {
    line += text
    bytes += Buffer.byteLength(text)
  }

  /** Leaves at most the bound of the line. `ending`: bytes of a line end, or of what may become one. */
  const cut = (events: Array<NewEvent>, ending: number): void => {
    while (bytes - ending > maxLineBytes) {
      const { read, written } = fitting(line, maxLineBytes)
      isCut = true
      events.push(event(line.slice(0, read)))
      line = line.slice(read)
      bytes -= written
    }
  }

  const finish = (events: Array<NewEvent>, ending: number): void => {
    cut(events, ending)
    events.push(event(line.slice(0, line.length - ending)))
    line = ""
    bytes = 0
    isCut = false
  }

  const carriageReturn = (): number => (line.endsWith("\r") ? 1 : 0)

  return {
    feed: (piece) => {
      const events: Array<NewEvent> = []
      const text = half + piece
      half = endsInHalfPair(text) ? text.slice(-1) : ""
      const whole = text.length - half.length
      let start = 0
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
        add(text.slice(start, end))
        finish(events, carriageReturn())
        start = end + 1
      }
      add(text.slice(start, whole))
      // Not asked for each piece: to look at its end, the platform copies a line that came in many.
      if (bytes > maxLineBytes) cut(events, carriageReturn())
      return events
    },
    end: () => {
      const events: Array<NewEvent> = []
      add(half)
      half = ""
      if (line !== "") finish(events, 0)
      return events
    }
  }
}
