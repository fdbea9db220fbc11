import * as assert from "node:assert/strict"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ExampleProcess from "../docs/ExampleProcess.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as Chromium from "./Chromium.ts"

describe("docs/examples/inventory", () => {
  it.scopedLive("shows an import in two browsers, and its result in a third that comes later", () =>
    Effect.gen(function* () {
      const cwd = dirname(yield* TemporaryFile.make)
      mkdirSync(join(cwd, "data"))
      for (let index = 0; index < 50; index++) writeFileSync(join(cwd, `data/${index}.txt`), "12345")
      const url = yield* ExampleProcess.start("inventory/main.ts", { cwd, env: { FOLDER: "data", PORT: "0" } })
      const { open } = yield* Chromium.make
      const first = yield* open(url)
      const second = yield* open(url)
      for (const page of [first, second]) {
        yield* page.until(`document.querySelector("#connection").textContent === "connected"`)
        yield* page.until(`document.querySelector("#version").textContent === "1.0.0"`)
      }
      yield* first.click("#import")
      const third = Effect.tap(open(url), (page) => page.until(`document.querySelector("table tbody td") !== null`))
      for (const page of [first, second]) {
        yield* page.until(`document.querySelector("#tasks li")?.dataset.status === "completed"`)
        yield* page.until(`document.querySelector("table tbody td.number")?.textContent === "50"`)
      }
      assert.deepEqual([...first.errors, ...second.errors, ...(yield* third).errors], [])
    })
  )
})
