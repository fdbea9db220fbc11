import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, TestClock } from "effect"
import * as CallbackRequest from "../../src/callback/CallbackRequest.ts"
import * as ConnectAnswer from "../../src/domain/ConnectAnswer.ts"
import { disconnectReasons } from "../../src/domain/Connection.ts"
import * as RawBackend from "../callback/RawBackend.ts"
import { fences } from "./RunnableBlocks.ts"

const read = (path: string) => readFileSync(new URL(`../../docs/${path}`, import.meta.url), "utf8")
const document = read("callbacks.md")

const blocks = (language: string) =>
  fences(document)
    .filter((fence) => fence.language === language)
    .map(({ text }) => text)

/** The client's request of the examples. */
const call = {
  token: "0c3ce1f4-9a53-4f53-8b1b-2f5d6a1c7e10",
  request: CallbackRequest.make(
    "/sse/room?user=ada",
    ["Host", "sluice.example", "Accept", "text/event-stream", "Cookie", "sid=4711"],
    "all"
  )
}

describe("docs/callbacks.md", () => {
  it.scoped("shows callbacks as they are on the wire, byte for byte", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const { port } = yield* RawBackend.tcp((socket) => {
        let text = ""
        socket.setEncoding("utf8").on("data", (part: string) => {
          text += part
          if (!text.endsWith("}}}")) return
          heard.push(text)
          text = ""
          socket.write("HTTP/1.1 204 No Content\r\n\r\n")
        })
      })
      yield* TestClock.setTime(1_760_000_000_000)
      const callbacks = yield* RawBackend.signed(`http://127.0.0.1:${port}/callback`, Redacted.make("s3cret"))
      yield* callbacks.connect(call)
      yield* callbacks.disconnect({ ...call, reason: "client_closed" })
      const shown = heard.map((text) =>
        text.replaceAll("\r\n", "\n").replace(`127.0.0.1:${port}`, "backend.example:8000")
      )
      assert.deepStrictEqual(blocks("http"), shown)
    })
  )

  it("shows an answer that binds all that it names", () => {
    const { answer, ignored } = ConnectAnswer.parse(blocks("json")[0] ?? "")
    assert.deepStrictEqual(ignored, [])
    for (const part of Object.values(answer)) assert.isOk(Array.isArray(part) ? part.length > 0 : part)
  })

  it.scoped("shows a message as it is sent", () =>
    Effect.gen(function* () {
      const shown: unknown = JSON.parse(blocks("json")[1] ?? "")
      const heard: Array<string> = []
      const { port } = yield* RawBackend.tcp((socket) => {
        socket.setEncoding("utf8").on("data", (part: string) => {
          heard.push(part)
          if (part.endsWith("}")) socket.write("HTTP/1.1 204 No Content\r\n\r\n")
        })
      })
      const callbacks = yield* RawBackend.signed(`http://127.0.0.1:${port}/callback`, Redacted.make("s3cret"))
      yield* callbacks.message({ session: "chat", id: "m1", data: '"hello"', token: null })
      assert.deepStrictEqual(JSON.parse(heard.join("").split("\r\n\r\n")[1] ?? ""), shown)
    })
  )

  it("names every reason of a disconnect, in order", () => {
    const rows = Array.from(document.matchAll(/^\| `([a-z_]+)` \| [^|]+ \|$/gm), ([, name]) => name)
    assert.deepStrictEqual(rows, [...disconnectReasons])
  })

  const receivers: ReadonlyArray<readonly [language: string, file: string]> = [
    ["js", "receiver.mjs"],
    ["python", "receiver.py"],
    ["ts", "receiver.ts"]
  ]
  for (const [language, file] of receivers) {
    it(`shows ${file} as it is`, () => {
      assert.deepStrictEqual(blocks(language), [read(`examples/callbacks/${file}`).trimEnd()])
    })
  }
})
