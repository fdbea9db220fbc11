import * as assert from "node:assert/strict"
import { Effect } from "effect"
import type * as Sluice from "../http/Sluice.ts"
import * as Exposition from "./Exposition.ts"

export const format = "text/plain; version=0.0.4; charset=utf-8"

/** What a server shows now. Counters are the process's: tests compare what they say at two moments. */
export const read = (sluice: Pick<Sluice.Sluice, "call">) =>
  Effect.map(sluice.call("/metrics"), (answer) => {
    assert.deepEqual([answer.status, answer.headers["content-type"]], [200, format], answer.text)
    return Exposition.read(answer.text)
  })

export type Shown = Effect.Effect.Success<ReturnType<typeof read>>
export const grown = (earlier: Shown, later: Shown) => (name: string, labels: Readonly<Record<string, string>>) =>
  later(name, labels) - earlier(name, labels)
