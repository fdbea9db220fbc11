/**
 * The text of SSE frames (WHATWG HTML §9.2; design §4). `\r\n`, `\r` and `\n` in data part its lines.
 * Names and ids reach this module free of C0 controls; the guard here is the second one, so that no input can forge a frame.
 */

const control = /[\u0000-\u001f]/
const anyLineEnd = /\r\n|\r|\n/g

/** True when `text` may stand in an `event:` or `id:` field. */
export const isFieldSafe = (text: string): boolean => !control.test(text)

/** Thrown by the encoder only when a caller skipped validation: a defect, never an answer to input. */
class UnsafeField extends Error {
  override readonly name = "UnsafeField"
  constructor(field: string) {
    super(`a control character in the ${field} of a frame`)
  }
}

const safe = (field: string, text: string): string => {
  if (control.test(text)) throw new UnsafeField(field)
  return text
}

const dataLines = (data: string): string =>
  data.includes("\n") || data.includes("\r") ? `data: ${data.replace(anyLineEnd, "\ndata: ")}\n` : `data: ${data}\n`

/** True when decoding a frame of `data` gives other text than `data`: its line ends come back as LF. */
export const isLossy = (data: string): boolean => data.includes("\r")

/** An event of one session's log. `name` is left out of the frame when it is `message` (contract §3). */
export const event = (epoch: string, seq: number, name: string, data: string): string =>
  name === "message"
    ? `id: ${epoch}.${seq}\n${dataLines(data)}\n`
    : `id: ${epoch}.${seq}\nevent: ${safe("name", name)}\n${dataLines(data)}\n`

/** A frame of any other kind. An empty `id` would reset the reader's last id, so it is left out like an absent one. */
export const make = (frame: {
  readonly id?: string | undefined
  readonly event?: string | undefined
  readonly retry?: number | undefined
  readonly data: string
}): string =>
  (frame.retry === undefined ? "" : `retry: ${frame.retry}\n`) +
  (frame.id ? `id: ${safe("id", frame.id)}\n` : "") +
  (frame.event === undefined ? "" : `event: ${safe("name", frame.event)}\n`) +
  `${dataLines(frame.data)}\n`

// JSON escapes half a surrogate pair; everywhere else UTF-8 makes U+FFFD of it, and an event has one text (design §4).
const quoted = (text: string): string => {
  const json = JSON.stringify(text)
  return json.includes("\\ud") ? JSON.stringify(text.replace(/\p{Surrogate}/gu, "\ufffd")) : json
}

/** An event of a stream over several sessions: no `id:`, named `message`, one line of JSON. */
export const wrapped = (event: {
  readonly session: string
  readonly epoch: string
  readonly seq: number
  readonly name: string
  readonly data: string
  readonly at: string
}): string =>
  `data: {"session":"${event.session}","epoch":"${event.epoch}","seq":${event.seq},"name":${quoted(event.name)},` +
  `"data":${quoted(event.data)},"at":"${event.at}"}\n\n`

/** The block that closes a write on a stream over several sessions: it moves the reader's last id and is no event. */
export const idOnly = (id: string): string => `id: ${safe("id", id)}\n\n`

export const heartbeat = ": heartbeat\n\n"

/**
 * Where the frames after `skip` leading frames begin. Frames end with an empty line and hold none, so the end of a
 * frame is the only place where two line feeds meet.
 */
export const offsetAfter = (frames: Uint8Array, skip: number): number => {
  let at = 0
  for (let i = 0; i < skip; i++) {
    let end = frames.indexOf(0x0a, at)
    while (end >= 0 && frames[end + 1] !== 0x0a) end = frames.indexOf(0x0a, end + 1)
    if (end < 0) return frames.length
    at = end + 2
  }
  return at
}
