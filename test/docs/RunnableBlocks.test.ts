import { describe, expect, it } from "vitest"
import { matches, parse } from "./RunnableBlocks.ts"

const fence = "```"

describe("the runnable blocks of a document", () => {
  it("are those that a comment marks, each with what it shows", () => {
    const document = `
<!-- runs: server -->
${fence}sh
npm start
${fence}

Not marked, so not run:

${fence}sh
npm test
${fence}

1. In a list:

   <!-- runs -->

   ${fence}sh
   curl -s localhost:3000 \\
     -d '{}'
   ${fence}

   which answers

   ${fence}text
   { "ok": … }
   ${fence}

<!-- shows: server -->
${fence}text
…
${fence}
`
    expect(parse("x.md", document)).toEqual([
      { kind: "run", line: 3, command: "npm start", name: "server", shows: undefined },
      { kind: "run", line: 17, command: "curl -s localhost:3000 \\\n  -d '{}'", name: undefined, shows: '{ "ok": … }' },
      { kind: "shows", line: 29, name: "server", text: "…" }
    ])
  })

  it("are refused when their mark cannot be meant", () => {
    const marked = (mark: string, language: string) => () =>
      parse("x.md", `<!-- ${mark} -->\n${fence}${language}\nls\n${fence}`)
    expect(marked("runs", "ts")).toThrow("x.md:2: <!-- runs --> is for a sh block")
    expect(marked("runs in peace", "sh")).toThrow("x.md:2: does not understand")
    expect(marked("shows", "text")).toThrow("names a terminal")
  })
})

describe("what a command shows", () => {
  it.each([
    ["a\nb", "a  \nb\n\n", true],
    ["a\nb", "a", false],
    ["a", "a\nb", false],
    ["id: ….1", "id: e5fq.1", true],
    ["id: ….1", "id: e5fq.2", false],
    ["a.c", "abc", false],
    ["a\n…\nd", "a\nb\nc\nd", true],
    ["a\n…\nd", "a\nd", true],
    ["a\n…\nd", "a\nb", false],
    ["…", "", true]
  ])("%j and %j: %j", (expected, actual, answer) => {
    expect(matches(expected, actual)).toBe(answer)
  })
})
