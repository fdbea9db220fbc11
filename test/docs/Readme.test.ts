import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as RunnableBlocks from "./RunnableBlocks.ts"
import * as Terminal from "./Terminal.ts"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const read = (document: string) => readFileSync(join(root, document), "utf8")
const exists = (path: string) => existsSync(join(root, path))
const has = (program: string) => spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0

const documents = [
  ...(exists("README.md") ? ["README.md"] : []),
  ...(exists("docs") ? readdirSync(join(root, "docs")) : [])
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
]

/** `npm test` needs Node alone; where the programs of the examples are missing, the examples cannot be tried. */
const missing = ["bash", "curl"].filter((program) => !has(program))

describe("README.md", () => {
  it("exists, names the test command and has commands that run", () => {
    expect(exists("README.md"), "there is no README.md").toBe(true)
    const commands = RunnableBlocks.fences(read("README.md")).flatMap(({ text }) => text.split("\n"))
    expect(commands, "no fenced `npm test` in README.md").toContain("npm test")
    const marked = RunnableBlocks.parse("README.md", read("README.md"))
    expect(marked, "no `<!-- runs -->` before a sh block in README.md").not.toEqual([])
  })

  it("shows the example of embedding that is compiled and run", () => {
    const shown = RunnableBlocks.fences(read("README.md")).find(({ text }) => text.includes("NodeRuntime.runMain"))
    expect(read("docs/examples/embed.ts")).toContain(shown?.text)
  })
})

for (const document of documents) {
  const steps = RunnableBlocks.parse(document, read(document))
  if (steps.length === 0) continue
  const title = `what a reader of ${document} types`
  describe.skipIf(missing.length > 0)(missing.length > 0 ? `${title} (no ${missing.join(", no ")})` : title, () => {
    let terminal: Awaited<ReturnType<typeof Terminal.make>> | undefined
    let broken: number | undefined

    beforeAll(async () => {
      expect(exists("dist/cli/main.js"), "nothing is built: npm run build").toBe(true)
      terminal = await Terminal.make(root, steps)
    })
    afterAll(() => terminal?.close())

    for (const step of steps) {
      const what = step.kind === "run" ? step.command.split("\n")[0] : `shows: ${step.name}`
      it(`line ${step.line}: ${what}`, async () => {
        // What comes after it builds on it.
        if (broken !== undefined) throw new Error(`not tried, because line ${broken} failed`)
        broken = step.line
        await terminal?.run(step)
        broken = undefined
      })
    }
  })
}
