import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { type Setting, settings } from "../../src/server/Settings.ts"
import * as RunnableBlocks from "../docs/RunnableBlocks.ts"
import * as Documented from "./Documented.ts"

const page = readFileSync(new URL("../../docs/deploy.md", import.meta.url), "utf8")
const files = readdirSync(new URL("../../docs/deploy", import.meta.url))
const texts = [page, ...files.map(Documented.read)]

describe("docs/deploy.md", () => {
  it("shows each file of docs/deploy as it is, and no other configuration", () => {
    const shown = RunnableBlocks.fences(page).filter(({ language }) => ["ini", "nginx", "haproxy"].includes(language))
    expect(shown.map(({ text }) => `${text}\n`).sort()).toEqual(files.map(Documented.read).sort())
  })

  it("knows no setting that the program does not have, and each default as it is", () => {
    const table = Object.values<Setting<unknown>>(settings)
    const find = (name: string) => table.find(({ env }) => env === name)
    for (const text of texts) {
      for (const [name] of text.matchAll(/\b(?:SLUICE|CALLBACK|HEARTBEAT)_[A-Z_]+\b/g)) {
        expect(find(name), `${name} is no setting`).toBeDefined()
      }
      for (const [, name = "", value] of text.matchAll(/\b([A-Z_]{4,})`? \((\d+)\b/g)) {
        const setting = find(name)
        if (setting !== undefined) expect([name, value]).toEqual([name, setting.default])
      }
    }
  })
})
