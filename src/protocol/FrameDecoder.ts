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
  let started = false
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
    if (colon === 0) {
      out.push({ _tag: "Comment", text: text.slice(1) })
      return
    }
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1)
    if (field === "data") data += `${value}\n`
    else if (field === "event") name = value
    else if (field === "id") idBuffer = value.includes("\u0000") ? idBuffer : value
    else if (field === "retry" && /^[0-9]+$/.test(value)) out.push({ _tag: "Retry", millis: Number(value) })
  }

  const feed = (text: string): ReadonlyArray<Decoded> => {
    const out: Array<Decoded> = []
    if (text === "") return out
    let input = text
    if (!started) {
      started = true
      if (input.startsWith("\ufeff")) input = input.slice(1)
    }
    if (skipLf && input.startsWith("\n")) input = input.slice(1)
    skipLf = false
    let from = 0
    for (let at = 0; at < input.length; at++) {
      const code = input.charCodeAt(at)
      if (code !== 10 && code !== 13) continue
      line(rest + input.slice(from, at), out)
      rest = ""
      if (code === 13) {
        if (at + 1 === input.length) skipLf = true
        else if (input.charCodeAt(at + 1) === 10) at++
      }
      from = at + 1
    }
    rest += input.slice(from)
    return out
  }

  return { feed, lastId: () => lastId }
}
