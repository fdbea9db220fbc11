/** Lines of the input as the body of one append: NDJSON, one event a line. */
export interface EventBatch {
  /** The number of its first line, counting from 1. Lines without an event are counted, too. */
  readonly lines: ReadonlyArray<number>
  readonly body: string
  /** UTF-8 bytes of the body. */
  readonly bytes: number
}

export interface Limits {
  /** Events of one batch, 1 to 1,000 (contract §2). */
  readonly events: number
  /** Bytes of one batch, well under the server's 4 MiB; an event that is larger by itself goes alone. */
  readonly bytes: number
}

/** An event as a line of NDJSON, and the line of the input that it came from. */
export interface Encoded {
  readonly line: number
  readonly json: string
}

const fits = (events: number, bytes: number, limits: Limits): boolean =>
  events <= limits.events && bytes <= limits.bytes

/** Cuts events into batches, in order. */
export const cut = (events: ReadonlyArray<Encoded>, limits: Limits): ReadonlyArray<EventBatch> => {
  const batches: Array<EventBatch> = []
  let lines: Array<number> = []
  let body = ""
  let bytes = 0
  const close = () => {
    if (lines.length > 0) batches.push({ lines, body, bytes })
    lines = []
    body = ""
    bytes = 0
  }
  for (const { json, line } of events) {
    const more = Buffer.byteLength(json) + 1
    if (!fits(lines.length + 1, bytes + more, limits)) close()
    lines.push(line)
    body += `${json}\n`
    bytes += more
  }
  close()
  return batches
}

/** Takes as many of the waiting batches as fit into one; the first always does. `undefined` when none waits. */
export const gather = (
  waiting: ReadonlyArray<EventBatch>,
  limits: Limits
): readonly [EventBatch, ReadonlyArray<EventBatch>] | undefined => {
  const [first, ...others] = waiting
  if (first === undefined) return undefined
  let events = first.lines.length
  let bytes = first.bytes
  const end = others.findIndex((batch) => {
    events += batch.lines.length
    bytes += batch.bytes
    return !fits(events, bytes, limits)
  })
  const taken = end < 0 ? waiting : waiting.slice(0, end + 1)
  const rest = end < 0 ? [] : waiting.slice(end + 1)
  if (taken.length === 1) return [first, rest]
  const lines = taken.flatMap((batch) => batch.lines)
  const body = taken.map((batch) => batch.body).join("")
  return [{ lines, body, bytes: taken.reduce((sum, batch) => sum + batch.bytes, 0) }, rest]
}
