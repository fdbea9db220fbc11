import { createHash } from "node:crypto"
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url))

/** Lines that a terminal, a parser of SSE or a decoder may trip over. */
const odd = Buffer.concat([
  Buffer.from("\n\n \n\t\n: not a comment\nid: 5\nevent: sluice.bye\ndata: x\nretry: 1\ndata\n:\n"),
  Buffer.from([0x00, 0x01, 0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x7f, 0x0a]),
  Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xe2, 0x82, 0x0a, 0xf0, 0x9f, 0x98, 0x0a]), // no UTF-8
  Buffer.from(
    '\ufeffbyte order mark\nU+2028 \u2028 and U+0085 \u0085\n😀 \u{10ffff}\n"\\u0000\\"\r\nended by CRLF\r\n'
  ),
  Buffer.from(`${"long ".repeat(20_000)}\n`)
])

/** Writes so many lines of real source text to `filename`, with odd ones in between, and returns them as they were meant. */
export const write = (filename: string, lines: number): ReadonlyArray<string> => {
  const command = `find effect -name '*.[jt]s' -type f -exec cat {} + | head -n ${lines} > "$0"`
  const { status } = spawnSync("sh", ["-c", command, filename], { cwd: modules })
  if (status !== 0) throw new Error(`${command} failed`)
  const text = readFileSync(filename)
  const middle = text.indexOf(0x0a, text.length / 2) + 1
  const all = Buffer.concat([odd, text.subarray(0, middle), odd, text.subarray(middle), odd])
  writeFileSync(filename, all)
  const decoded = new TextDecoder("utf-8", { ignoreBOM: true }).decode(all).split("\n")
  return decoded.slice(0, -1).map((line) => line.replace(/\r$/, ""))
}

/** Adds up the events of a watcher: each must follow the one before. */
export interface Sum {
  readonly add: (epoch: string, seq: number, data: string) => void
  readonly count: () => number
  /** Of all that was added, in order. */
  readonly hash: () => string
}

export const sum = (): Sum => {
  const hash = createHash("sha256")
  let count = 0
  let epoch: string | undefined
  return {
    add: (nextEpoch, seq, data) => {
      if (seq !== count + 1) throw new Error(`${seq} came after ${count}`)
      if (epoch !== undefined && nextEpoch !== epoch) throw new Error("another epoch")
      epoch = nextEpoch
      count = seq
      hash.update(`${JSON.stringify(data)}\n`)
    },
    count: () => count,
    hash: () => hash.copy().digest("hex")
  }
}

export const sumOf = (lines: ReadonlyArray<string>): Sum => {
  const all = sum()
  for (const [index, line] of lines.entries()) all.add("", index + 1, line)
  return all
}
