/** What a reader gets of a stream: an event, or what changes no state but shows that the peer lives. */
export type Decoded =
  | { readonly _tag: "Event"; readonly name: string; readonly data: string; readonly lastId: string }
  | { readonly _tag: "Retry"; readonly millis: number }
  | { readonly _tag: "Comment"; readonly text: string }

/**
 * An incremental SSE parser (WHATWG HTML §9.2.6) with one addition: it reports comments, which count as signs of life.
 * It holds one unfinished frame; feed it decoded text at any split, one line end included.
 */
export interface FrameDecoder {
  readonly feed: (text: string) => ReadonlyArray<Decoded>
  /** The id to send as `Last-Event-ID`. It moves at the end of each block, an id-only one included. */
  readonly lastId: () => string
}

export const make = (): FrameDecoder => {
  let rest = ""
  let skipLf = false
  let start = /^\ufeff/
  let idBuffer = ""
  let lastId = ""
  let name = ""
  let data = ""

  const line = (text: string, out: Array<Decoded>): void => {
    if (text === "") {
      lastId = idBuffer
      if (data !== "") out.push({ _tag: "Event", name: name || "message", data: data.slice(0, -1), lastId })
      name = ""
      data = ""
      return
    }
    const colon = text.indexOf(":")
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "")
    if (field === "") out.push({ _tag: "Comment", text: text.slice(1) })
    if (field === "data") data += `${value}\n`
    if (field === "event") name = value
    if (field === "id" && !value.includes("\u0000")) idBuffer = value
    if (field === "retry" && /^[0-9]+$/.test(value)) out.push({ _tag: "Retry", millis: Number(value) })
  }

  const feed = (text: string): ReadonlyArray<Decoded> => {
    if (text === "") return []
    const out: Array<Decoded> = []
    const input = text.replace(start, "")
    start = /^(?!)/
    const lines = (skipLf ? input.replace(/^\n/, "") : input).split(/\r\n?|\n/)
    skipLf = input.endsWith("\r")
    const last = lines.pop() ?? ""
    for (const ended of lines) {
      line(rest + ended, out)
      rest = ""
    }
    rest += last
    return out
  }

  return { feed, lastId: () => lastId }
}
