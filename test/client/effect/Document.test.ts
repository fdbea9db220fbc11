import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, it } from "@effect/vitest"
import { Console, Effect, Fiber, Layer, Queue } from "effect"
import * as SluiceClient from "../../../src/client/effect/SluiceClient.ts"
import { fences } from "../../docs/RunnableBlocks.ts"
import * as Processes from "../../http/Processes.ts"
import * as Sluice from "../../http/Sluice.ts"
import { program } from "./example/chat.ts"
// Compiled, not run: it would not end.
import type {} from "./example/main.ts"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

/** As its readers import it. */
const asShown = (file: string) =>
  read(`example/${file}`)
    .replaceAll("../../../../src/client/effect/index.ts", "sluice/client/effect")
    .replaceAll("../../../../src/index.ts", "sluice")
    .trimEnd()

describe("docs/effect-client.md", () => {
  it("shows examples that are compiled, and run as tests", () => {
    assert.deepEqual(
      fences(read("../../../docs/effect-client.md"))
        .filter(({ language }) => language === "ts")
        .map(({ text }) => text),
      ["chat.ts", "main.ts", "presence.test.ts"].map(asShown)
    )
  })

  it.scopedLive("shows a program that follows a session over a gap and writes to it", () =>
    Effect.gen(function* () {
      const sluice = yield* Processes.make({ connection: { replayCap: 2 } })
      const child = yield* sluice.attach("chat")
      yield* sluice.add("chat", { events: Sluice.numbered(1, 10) })
      const told = yield* Queue.unbounded<string>()
      const tell = (...args: ReadonlyArray<unknown>) => Effect.asVoid(Queue.offer(told, args.join(" ")))
      const console = yield* Console.consoleWith(Effect.succeed)
      const client = SluiceClient.layer({ url: sluice.url })
      const running = yield* program.pipe(
        Effect.provide(Layer.provide(client, NodeHttpClient.layer)),
        Console.withConsole({ ...console, log: tell, error: tell }),
        Effect.fork
      )
      const awaited = [/^\d+ earlier events$/, /^stored as event \d+$/, /"text":"hello"/]
      while (awaited.length > 0) {
        const line = yield* Queue.take(told)
        const found = awaited.findIndex((pattern) => pattern.test(line))
        if (found >= 0) awaited.splice(found, 1)
      }
      yield* child.hears("interrupt")
      yield* sluice.call("/v1/sessions/chat", { method: "DELETE" })
      yield* Fiber.join(running)
    })
  )
})
