import * as Cursor from "./Cursor.ts"

/**
 * The places of a reader of several sessions, by session id: `SESSION.EPOCH.SEQ`, joined by `_`.
 * The bytes of a session id that an SSE `id:` must not hold, or that part the pieces, are escaped with `-`
 * (`.` as `-d`, `_` as `-u`, `~` as `-t`, `:` as `-c`, `-` as `--`), so that only `A-Z a-z 0-9 . _ -` occur (design §4).
 */
export type VectorCursor = ReadonlyMap<string, Cursor.Cursor>

const escapes: Readonly<Record<string, string>> = { ".": "-d", _: "-u", "~": "-t", ":": "-c", "-": "--" }
const originals: Readonly<Record<string, string>> = { d: ".", u: "_", t: "~", c: ":", "-": "-" }

/** One session's piece. Worth keeping: it changes only with the cursor. */
export const formatEntry = (session: string, cursor: Cursor.Cursor): string =>
  `${session.replace(/[._~:-]/g, (char) => escapes[char] ?? char)}.${Cursor.format(cursor)}`

export const joinEntries = (entries: ReadonlyArray<string>): string => entries.join("_")

export const format = (vector: VectorCursor): string =>
  joinEntries(Array.from(vector, ([session, cursor]) => formatEntry(session, cursor)))

const unescape = (text: string): string | undefined => {
  if (!/^(?:[A-Za-z0-9]|-[dutc-])+$/.test(text)) return undefined
  return text.replace(/-(.)/g, (_, code: string) => originals[code] ?? "")
}

/** `undefined` when any piece is malformed or a session occurs twice: half a position would lose events in silence. */
export const parse = (text: string): VectorCursor | undefined => {
  const vector = new Map<string, Cursor.Cursor>()
  for (const entry of text.split("_")) {
    const dot = entry.indexOf(".")
    const session = unescape(entry.slice(0, Math.max(dot, 0)))
    const cursor = Cursor.parse(entry.slice(dot + 1))
    if (session === undefined || cursor === undefined || vector.has(session)) return undefined
    vector.set(session, cursor)
  }
  return vector
}
