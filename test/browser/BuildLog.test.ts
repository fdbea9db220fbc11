import * as assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { dirname, join } from "node:path"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as BuildLog from "../scenarios/BuildLog.ts"
import * as Process from "../scenarios/Process.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as Chromium from "./Chromium.ts"

/** Notes the data of all events, and what does not follow the one before. */
const listen = `
  var seen = [], wrong = []
  var source = new EventSource("/v1/sessions/build/stream?from=start")
  source.onmessage = ({ data, lastEventId }) => {
    const seq = Number(lastEventId.split(".")[1])
    if (seq !== seen.length + 1) wrong.push(lastEventId)
    seen.push(data)
  }
  source.addEventListener("sluice.gap", ({ data }) => wrong.push(data))
  var digest = async () => {
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(seen.join("\\n")))
    return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("")
  }
`

describe("a build log of 100,000 lines, piped through sluice append", () => {
  it.scopedLive(
    "is in two Chromium pages once and in order, although the server got kill -9 (promises 1 and 2, S111)",
    () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started({ SLUICE_REPLAY_CAP: "1000000" })
        const folder = dirname(server.filename)
        const filename = join(folder, "build.log")
        const lines = BuildLog.write(filename, 100_000)
        const { open } = yield* Chromium.make
        const pages = yield* Effect.replicateEffect(open(`${server.url}/healthz`), 2)
        for (const page of pages) yield* page.run(listen)
        const append = yield* Process.make(["append", "build", "--url", server.url], { cwd: folder })
        createReadStream(filename).pipe(append.child.stdin)
        for (const page of pages) yield* page.until("seen.length > 30000")
        yield* server.kill9
        yield* server.start
        assert.equal(yield* append.ended, 0, append.said())
        const expected = createHash("sha256").update(lines.join("\n")).digest("hex")
        for (const page of pages) {
          yield* page.until(`seen.length >= ${lines.length}`)
          assert.deepEqual(yield* page.run("wrong"), [])
          assert.equal(yield* page.run("digest()"), expected)
          assert.deepEqual(page.errors, [])
        }
      })
  )
})
