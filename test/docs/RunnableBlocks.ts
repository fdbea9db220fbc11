/**
 * The commands of a document that are run as a test. Comments, which a reader does not see, mark them:
 *
 * - `<!-- runs -->` before a `sh` block: it is run and must end with 0. Once it has shown what the document says it shows,
 *   it may also be stopped, as a reader stops `curl -N`.
 * - `<!-- runs: NAME -->`: it stays, as in a terminal of its own, until the document ends. `server` is waited for.
 * - the next block, when it is a `text` block, is what it prints. `…` stands for any text of a line, a line of `…` alone
 *   for any lines.
 * - `<!-- shows: NAME -->` before a `text` block: what NAME has printed since it was last looked at.
 */
export interface Run {
  readonly kind: "run"
  readonly line: number
  readonly command: string
  /** Of the terminal that it stays in. */
  readonly name: string | undefined
  readonly shows: string | undefined
}

export interface Shows {
  readonly kind: "shows"
  readonly line: number
  readonly name: string
  readonly text: string
}

export type Step = Run | Shows

interface Fence {
  readonly line: number
  readonly language: string
  readonly text: string
  /** The comment right before it. */
  readonly mark: string | undefined
}

const openingFence = /^(\s*)(`{3,}|~{3,})\s*(\S*)\s*$/

export const fences = (markdown: string): ReadonlyArray<Fence> => {
  const found: Array<Fence> = []
  let open: { line: number; indent: number; fence: string; language: string; lines: Array<string> } | undefined
  let mark: string | undefined
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    if (open !== undefined) {
      if (text.trim() === open.fence) {
        found.push({ line: open.line, language: open.language, text: open.lines.join("\n"), mark })
        open = undefined
        mark = undefined
      } else {
        open.lines.push(text.slice(Math.min(open.indent, text.length - text.trimStart().length)))
      }
      continue
    }
    const [, indent = "", fence, language = ""] = openingFence.exec(text) ?? []
    const comment = /^\s*<!--\s*(.*?)\s*-->\s*$/.exec(text)?.[1]
    if (fence !== undefined) open = { line: index + 1, indent: indent.length, fence, language, lines: [] }
    else if (comment !== undefined) mark = comment
    else if (text.trim() !== "") mark = undefined
  }
  return found
}

/** A mistake in a mark is an error: a block that is silently not run proves nothing. */
export const parse = (document: string, markdown: string): ReadonlyArray<Step> => {
  const all = fences(markdown)
  const steps: Array<Step> = []
  for (const [index, { line, language, text, mark }] of all.entries()) {
    const [, verb, name] = /^(runs|shows)(?:\s*:\s*([a-z0-9-]+))?$/.exec(mark ?? "") ?? []
    if (verb === undefined) {
      if (/^(runs|shows)\b/.test(mark ?? ""))
        throw new Error(`${document}:${line}: does not understand <!-- ${mark} -->`)
    } else if (verb === "runs") {
      if (language !== "sh")
        throw new Error(`${document}:${line}: <!-- runs --> is for a sh block, this is "${language}"`)
      const next = all[index + 1]
      const shows = next?.language === "text" && next.mark === undefined ? next.text : undefined
      steps.push({ kind: "run", line, command: text, name, shows })
    } else {
      if (name === undefined || language !== "text") {
        throw new Error(`${document}:${line}: <!-- shows: NAME --> is for a text block and names a terminal`)
      }
      steps.push({ kind: "shows", line, name, text })
    }
  }
  return steps
}

const literally = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

const lines = (text: string) => text.replace(/\s+$/, "").split(/\r?\n/)

const matchesLine = (expected: string, actual: string) =>
  new RegExp(`^${expected.trimEnd().split("…").map(literally).join(".*")}$`).test(actual.trimEnd())

/** Whether `actual` is what `expected` says. Spaces at the ends of lines and empty lines at the end do not count. */
export const matches = (expected: string, actual: string): boolean => {
  const wanted = lines(expected)
  const got = lines(actual)
  const from = (w: number, g: number): boolean => {
    const pattern = wanted[w]
    const line = got[g]
    if (pattern === undefined) return line === undefined
    if (pattern.trim() === "…") return from(w + 1, g) || (line !== undefined && from(w, g + 1))
    return line !== undefined && matchesLine(pattern, line) && from(w + 1, g + 1)
  }
  return from(0, 0)
}
