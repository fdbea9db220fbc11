import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import * as HttpServer from "../http/HttpServer.ts"
import * as Requests from "../scenarios/Requests.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as Chromium from "./Chromium.ts"

const examples = fileURLToPath(new URL("../../docs/examples/", import.meta.url))
const read = (file: string): string => readFileSync(`${examples}${file}`, "utf8")

/** A web server of an app: its page, and its script. */
const appServer = Effect.gen(function* () {
  const app = { url: "", page: "", script: "" }
  const url = yield* HttpServer.make(({ url }, response) => {
    const isScript = url === "/chat.js"
    response.writeHead(200, { "Content-Type": isScript ? "text/javascript" : "text/html" })
    response.end(isScript ? app.script : app.page)
  })
  // A page has locks and storage on localhost, and so it may share a connection.
  return Object.assign(app, { url: url.replace("127.0.0.1", "localhost") })
})

/** As a reader of the page would do it, with the bundler that is here. */
const bundled = Effect.promise(async () => {
  const { outputFiles } = await build({
    entryPoints: [`${examples}react/Chat.tsx`],
    bundle: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"development"' }
  })
  return outputFiles[0]?.text ?? assert.fail("no bundle")
})

const pages = [
  {
    name: "docs/examples/plain/index.html",
    prepare: (server: string) =>
      Effect.succeed({ page: read("plain/index.html").replaceAll("http://127.0.0.1:3000", server), script: "" })
  },
  {
    name: "docs/examples/react/Chat.tsx",
    prepare: (server: string) =>
      Effect.map(bundled, (script) => ({
        page: `<!doctype html><div id="root" data-server="${server}"></div><script type="module" src="/chat.js"></script>`,
        script
      }))
  }
]

const rows = `Array.from(document.querySelectorAll("li"), ({ textContent }) => textContent)`
const status = `document.querySelector("[role=status]").textContent`

describe.each(pages)("$name", ({ prepare }) => {
  it.scopedLive("shows what there is and what comes, loads what is missing, and sends", () =>
    Effect.gen(function* () {
      const app = yield* appServer
      const server = yield* ServerProcess.started({ SLUICE_CORS_ORIGINS: app.url, SLUICE_REPLAY_CAP: "3" })
      Object.assign(app, yield* prepare(server.url))
      const lines = Array.from({ length: 5 }, (_, index) => `line ${index + 1}`)
      yield* Requests.add(server, "chat", { events: lines.map((data) => ({ data })) })
      const { open } = yield* Chromium.make
      const page = yield* open(app.url)
      yield* page.until(`${status} === "live"`)
      yield* page.until(`document.querySelectorAll("li").length === 4`)
      yield* page.click("li button")
      yield* page.until(`document.querySelectorAll("li").length === 5`)
      assert.deepEqual(yield* page.run(rows), lines)
      yield* Requests.add(server, "chat", { data: "line 6" })
      yield* page.until(`${rows}.at(-1) === "line 6"`)
      yield* page.fill("input", "from the page")
      yield* page.click("form button")
      yield* page.until(`${rows}.at(-1).includes("from the page")`)
      const { events } = yield* Requests.history(server, "chat")
      assert.equal(events.filter(({ name }) => name === "sluice.message").length, 1)
      yield* server.kill9
      yield* page.until(`${status}.startsWith("offline")`)
      yield* server.start
      yield* page.until(`${status} === "live"`)
      assert.deepEqual(page.errors, [])
    })
  )
})

describe("docs/client-examples.md", () => {
  it("shows the examples as they are, and the hook has less than 40 lines", () => {
    const document = readFileSync(fileURLToPath(new URL("../../docs/client-examples.md", import.meta.url)), "utf8")
    for (const file of ["plain/index.html", "react/useSession.ts", "react/Chat.tsx"]) {
      assert.ok(document.includes(`\n${read(file).trimEnd()}\n`), file)
    }
    assert.ok(read("react/useSession.ts").trimEnd().split("\n").length < 40)
  })
})
