import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"

/** A file of `docs/deploy`, as operators get it. */
export const read = (name: string): string =>
  readFileSync(new URL(`../../docs/deploy/${name}`, import.meta.url), "utf8")

/** Optional lines begin with # and no space. Those that hold `text` are taken in. */
export const enabled = (configuration: string, text: string): string => {
  let count = 0
  const lines = configuration.split("\n").map((line) => {
    if (!/^\s*#\S/.test(line) || !line.includes(text)) return line
    count += 1
    return line.replace("#", "")
  })
  assert.ok(count > 0, `no optional line has "${text}"`)
  return lines.join("\n")
}

/** What a test cannot have as it is documented, and what it has instead. */
export type Substitution = readonly [documented: string, here: string]

export const substituted = (configuration: string, substitutions: ReadonlyArray<Substitution>): string =>
  substitutions.reduce((text, [documented, here]) => {
    assert.ok(text.includes(documented), `the configuration has no "${documented}"`)
    return text.replaceAll(documented, here)
  }, configuration)
