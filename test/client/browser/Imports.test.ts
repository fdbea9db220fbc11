import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { dirname, relative, resolve } from "node:path"
import { describe, it } from "@effect/vitest"

const root = resolve(import.meta.dirname, "../../..")

/** What a file names in its imports and exports, types too: a browser must find the types it is given. */
const named = (file: string): ReadonlyArray<string> =>
  Array.from(
    readFileSync(file, "utf8").matchAll(/(?:\bfrom|\bimport|\bimport\()\s*"([^"]+)"/g),
    ([, name]) => name ?? assert.fail(file)
  )

/** Every file that is loaded with `file`, and every name that is none of ours. */
const reachable = (file: string, files = new Set<string>(), others = new Set<string>()) => {
  if (files.has(file)) return { files, others }
  files.add(file)
  for (const name of named(file)) {
    if (name.startsWith(".")) reachable(resolve(dirname(file), name), files, others)
    else others.add(name)
  }
  return { files, others }
}

const within =
  (...rooms: ReadonlyArray<string>) =>
  (file: string) =>
    rooms.some((room) => relative(root, file).startsWith(`src/${room}/`))

describe("what a browser loads with the client", () => {
  it("is of the client and the protocol alone: no package, nothing of Node, no Effect", () => {
    const { files, others } = reachable(resolve(root, "src/client/browser/BrowserClient.ts"))
    assert.deepEqual(Array.from(others), [])
    assert.ok(files.size > 15)
    const allowed = within("client/browser", "client/core", "protocol")
    assert.deepEqual(
      Array.from(files).filter((file) => !allowed(file)),
      []
    )
  })
})
