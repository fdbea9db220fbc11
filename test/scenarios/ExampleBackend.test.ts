import * as assert from "node:assert/strict"
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { createHash, createHmac } from "node:crypto"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Call from "../http/Call.ts"
import * as HttpServer from "../http/HttpServer.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as ServerProcess from "./ServerProcess.ts"

const program = fileURLToPath(new URL("../../docs/examples/backend/backend.mjs", import.meta.url))
const secret = "a-secret-of-both"
const key = "a-key-of-both"
const origin = "http://localhost:4000"

const Job = Schema.Struct({
  id: Schema.Int,
  state: Schema.Literal("progress", "done", "failed"),
  files: Schema.Int,
  bytes: Schema.Int,
  totalBytes: Schema.Int,
  digest: Schema.optional(Schema.String)
})
const decodeJob = Schema.decodeUnknownSync(Schema.parseJson(Job), { onExcessProperty: "error" })

const isFree = (port: number) =>
  Effect.async<boolean>((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/** The backend has to know Sluice's address and Sluice that of the backend, so one of them is chosen beforehand. */
const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = 10_000 + Math.floor(Math.random() * 20_000)
  return Effect.flatMap(isFree(port), (free) => (free ? Effect.succeed(port) : freePort))
})

/** A line of it that was printed, or will be. */
const says = (child: ChildProcessByStdio<null, Readable, Readable>) => {
  let said = ""
  let isOver = false
  const attempts = new Set<() => void>()
  const attemptAll = () => {
    for (const attempt of attempts) attempt()
  }
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding("utf8").on("data", (text: string) => {
      said += text
      attemptAll()
    })
  }
  child.once("close", () => {
    isOver = true
    attemptAll()
  })
  return (line: string) =>
    Effect.async<void>((resume) => {
      const attempt = () => {
        const isSaid = said.split("\n").includes(line)
        if (!isSaid && !isOver) return
        attempts.delete(attempt)
        resume(isSaid ? Effect.void : Effect.dieMessage(`it ended without "${line}":\n${said}`))
      }
      attempts.add(attempt)
      attempt()
      return Effect.sync(() => attempts.delete(attempt))
    })
}

/** `node backend.mjs`, until the scope closes. `root` is the folder that it may read. */
const backend = (port: number, gateway: string, env: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const root = join(dirname(yield* TemporaryFile.make), "root")
    mkdirSync(root)
    const { PATH = "" } = process.env
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [program], {
          env: { PATH, PORT: String(port), GATEWAY_URL: gateway, JOBS_ROOT: root, CALLBACK_SECRET: secret, ...env },
          stdio: ["ignore", "pipe", "pipe"]
        })
      ),
      (child) =>
        Effect.async<void>((resume) => {
          if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
    const url = `http://127.0.0.1:${port}`
    const line = says(child)
    yield* line(`listening on http://localhost:${port}`)

    /** As a page asks: JSON, with the cookie of the login. */
    const ask = (method: string, path: string, cookie = "", body?: unknown) =>
      Call.call(url, path, {
        method,
        headers: { "Content-Type": "application/json", ...(cookie === "" ? {} : { Cookie: cookie }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })

    /** The cookie of a login that must succeed. */
    const login = (name: string, password: string) =>
      Effect.map(ask("POST", "/login", "", { name, password }), (answer) => {
        assert.equal(answer.status, 200, answer.text)
        const [cookie = ""] = answer.headers["set-cookie"] ?? []
        assert.match(cookie, /; HttpOnly; SameSite=Lax/)
        return cookie.split(";")[0] ?? ""
      })

    /** The stream's path, with a ticket. */
    const ticket = (cookie: string, tab: string, isReturn = false) =>
      Effect.map(ask("POST", "/ticket", cookie, { tab, isReturn }), (answer) => {
        assert.equal(answer.status, 200, answer.text)
        const { pathname, search } = new URL(String(Call.json(answer)["url"]))
        return `${pathname}${search}`
      })

    const status = Effect.map(ask("GET", "/status"), Call.json)

    return { url, root, says: line, ask, login, ticket, status } as const
  })

/** Sluice and the example behind it, who know each other and share a secret and a key. */
const both = (settings: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const sluice = yield* ServerProcess.started({
      CALLBACK_URL: `http://127.0.0.1:${port}/callback`,
      CALLBACK_SECRET: secret,
      SLUICE_CORS_ORIGINS: origin,
      SLUICE_API_KEY: key,
      ...settings
    })
    const app = yield* backend(port, sluice.url, { SLUICE_API_KEY: key })
    const open = (path: string, headers = {}) => StreamClient.open(`${sluice.url}${path}`, { headers })
    /** As curl does, or a page of the same origin. */
    const stream = (cookie: string) => open("/sse/progress", { Cookie: cookie })
    return { sluice, app, open, stream } as const
  })

/** A stream that was not opened: the status of the backend, as an error of Sluice. */
const assertRefused = (client: StreamClient.StreamClient, status: number) =>
  Effect.map(client.ended, ({ text }) => {
    assert.equal(client.status, status)
    assert.match(client.headers["content-type"] ?? "", /^application\/json/)
    assert.match(text, /"code":"BACKEND_ERROR"/)
  })

const names = (client: StreamClient.StreamClient) => client.events().map(({ name }) => name)

/** Some folders, names in other alphabets, an empty file, one of 8 MiB; and links that lead out of it. */
const makeTree = (root: string) => {
  const contents = new Map<string, Buffer>([
    ["a.txt", Buffer.from("first")],
    ["Z.txt", Buffer.from("in the order of bytes, before a small letter")],
    ["empty", Buffer.alloc(0)],
    [".hidden", Buffer.from("as well")],
    ["sub.txt", Buffer.from("before sub/")],
    ["sub/größe 日本 🙂.txt", Buffer.from("names are UTF-8")],
    ["sub/deep/er/large", Buffer.alloc(8 * 1024 * 1024, "0123456789abcde")],
    ...Array.from({ length: 50 }, (_, n) => [`many/${n}`, Buffer.from(`file ${n}`)] as const)
  ])
  const tree = join(root, "tree")
  for (const [name, content] of contents) {
    mkdirSync(dirname(join(tree, name)), { recursive: true })
    writeFileSync(join(tree, name), content)
  }
  writeFileSync(join(root, "..", "outside"), "not to be read")
  symlinkSync(join(root, ".."), join(tree, "link"))
  symlinkSync(join(root, "..", "outside"), join(tree, "link-to-a-file"))
  const bytes = Array.from(contents.values(), ({ length }) => length).reduce((sum, length) => sum + length, 0)
  return { contents, bytes, digest: digestOf(contents) }
}

/** What `sha256sum` says of each file, in the order of their names' bytes, and of that. */
const digestOf = (contents: ReadonlyMap<string, Buffer>): string => {
  const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex")
  const lines = Array.from(contents, ([name, content]) => Buffer.from(`${name}\0${sha256(content)}  ${name}\n`))
  const sorted = lines.sort(Buffer.compare).map((line) => line.subarray(line.indexOf(0) + 1))
  return sha256(Buffer.concat(sorted))
}

describe("the example backend, behind Sluice", () => {
  it.scopedLive(
    "hashes a folder for one user, who alone sees its progress; all see an announcement; a logout ends the stream",
    () =>
      Effect.gen(function* () {
        const { app, open, sluice, stream } = yield* both()
        const tree = makeTree(app.root)

        // Nobody gets in without a login.
        yield* assertRefused(yield* open("/sse/progress"), 401)
        yield* assertRefused(yield* open("/sse/progress", { Cookie: "sid=1" }), 401)
        for (const [name, password] of [
          ["ann", "coffee"],
          ["nobody", "tea"],
          [["ann"], {}]
        ] as const) {
          assert.equal((yield* app.ask("POST", "/login", "", { name, password })).status, 401)
        }
        for (const path of ["/jobs", "/announce", "/ticket", "/logout"]) {
          assert.equal((yield* app.ask("POST", path, "", {})).status, 401, path)
        }

        // Ann with her cookie, Ben with a ticket as the page gets it, which is good for one stream.
        const ann = yield* app.login("ann", "tea")
        const ben = yield* app.login("ben", "coffee")
        yield* assertRefused(yield* open("/sse/other", { Cookie: ann }), 404)
        const annsStream = yield* stream(ann)
        const path = yield* app.ticket(ben, "tab 1")
        const bensStream = yield* open(path, { Origin: origin })
        assert.equal(bensStream.headers["access-control-allow-origin"], origin)
        yield* assertRefused(yield* open(path), 401)
        yield* annsStream.take(1)
        yield* bensStream.take(1)
        assert.equal(annsStream.text(), 'event: welcome\ndata: {"user":"ann"}\n\n')
        assert.equal(bensStream.text(), 'event: welcome\ndata: {"user":"ben"}\n\n')

        // A real folder.
        const started = yield* app.ask("POST", "/jobs", ann, { folder: "tree" })
        assert.deepEqual([started.status, decodeJob(started.text).state], [200, "progress"])
        yield* annsStream.named("done")

        // Sent after all of the job: what Ben has seen before it is all that he was sent.
        const announced = yield* app.ask("POST", "/announce", ben, { text: "two\nlines" })
        assert.deepEqual(Call.json(announced), { connections: 2 })
        for (const client of [annsStream, bensStream]) {
          const { data } = yield* client.named("announcement")
          assert.equal(data, '{"from":"ben","text":"two\\nlines"}')
        }
        assert.deepEqual(names(bensStream), ["welcome", "announcement"])

        const jobs = annsStream.events().slice(1, -1)
        assert.deepEqual(new Set(jobs.slice(0, -1).map(({ name }) => name)), new Set(["progress"]))
        const seen = jobs.map(({ data }) => decodeJob(data))
        const bytes = seen.map((job) => job.bytes)
        assert.deepEqual(
          bytes,
          bytes.toSorted((a, b) => a - b)
        )
        assert.deepEqual(seen[seen.length - 1], {
          id: 1,
          state: "done",
          files: tree.contents.size,
          bytes: tree.bytes,
          totalBytes: tree.bytes,
          digest: tree.digest
        })
        // A page that was away finds it here.
        assert.deepEqual(decodeJob((yield* app.ask("GET", "/job", ann)).text), seen[seen.length - 1])
        assert.equal((yield* app.ask("GET", "/job", ben)).text, "null")

        // Nothing outside of the root.
        for (const folder of ["..", "tree/../..", dirname(app.root), "/", "tree/link", "tree/a.txt", "tree/none"]) {
          assert.equal((yield* app.ask("POST", "/jobs", ben, { folder })).status, 404, folder)
        }

        // A logout ends Ann's stream, and only hers.
        const out = yield* app.ask("POST", "/logout", ann)
        assert.match(String(out.headers["set-cookie"]), /^sid=; Max-Age=0/)
        const { isComplete, text } = yield* annsStream.ended
        assert.ok(isComplete, "cut off")
        assert.ok(text.endsWith("event: farewell\ndata: logged out\n\n"), text.slice(-200))
        yield* assertRefused(yield* stream(ann), 401)
        yield* app.says("disconnect: ann, server_closed")
        assert.deepEqual(yield* app.status, { connects: 2, disconnects: 1, online: ["ben"] })

        yield* bensStream.abort
        yield* app.says("disconnect: ben, client_closed")
        // Whatever Sluice still owed would be told before it has stopped.
        assert.equal(yield* sluice.stop, 0)
        assert.deepEqual(yield* app.status, { connects: 2, disconnects: 2, online: [] })
      })
  )

  it.scopedLive("gives a user's stream to the newest tab, and not back to one that returns by itself", () =>
    Effect.gen(function* () {
      const { app, open, sluice, stream } = yield* both()
      const ann = yield* app.login("ann", "tea")
      const first = yield* open(yield* app.ticket(ann, "tab 1"))
      yield* first.named("welcome")
      const second = yield* open(yield* app.ticket(ann, "tab 2"))
      yield* second.named("welcome")
      assert.ok((yield* first.ended).isComplete, "cut off")
      yield* app.says("disconnect: ann, replaced")
      assert.equal((yield* app.ask("POST", "/ticket", ann, { tab: "tab 1", isReturn: true })).status, 409)

      // Its own tab may return, and what was a ticket before a logout is none after it.
      const third = yield* open(yield* app.ticket(ann, "tab 2", true))
      yield* third.named("welcome")
      assert.ok((yield* second.ended).isComplete, "cut off")
      const left = yield* app.ticket(ann, "tab 2")
      assert.equal((yield* app.ask("POST", "/logout", ann)).status, 200)
      yield* third.named("farewell")
      yield* assertRefused(yield* open(left), 401)
      yield* assertRefused(yield* stream(ann), 401)
      assert.equal(yield* sluice.stop, 0)
      assert.deepEqual(yield* app.status, { connects: 3, disconnects: 3, online: [] })
    })
  )

  it.scopedLive("believes no callback that Sluice has not signed just now", () =>
    Effect.gen(function* () {
      const { app, stream } = yield* both()
      const ann = yield* app.login("ann", "tea")
      const client = yield* stream(ann)
      yield* client.named("welcome")

      const now = Math.floor(Date.now() / 1000)
      const body = JSON.stringify({
        action: "disconnect",
        reason: "error",
        token: "t",
        request: { url: "/", headers: {} }
      })
      const forge = (key: string, signed: string, timestamp: number | string = now) => ({
        "X-Sluice-Timestamp": String(timestamp),
        "X-Sluice-Signature": `sha256=${createHmac("sha256", key).update(`${timestamp}.${signed}`).digest("hex")}`
      })
      const call = (headers: Readonly<Record<string, string>>) =>
        Effect.map(Call.call(app.url, "/callback", { method: "POST", headers, body }), ({ status }) => status)
      for (const headers of [
        {},
        { "X-Sluice-Timestamp": String(now), "X-Sluice-Signature": "sha256=" },
        forge("another key", body),
        forge(secret, `${body} `),
        forge(secret, body, now - 301),
        forge(secret, body, now + 301),
        forge(secret, body, "soon")
      ]) {
        assert.equal(yield* call(headers), 401, JSON.stringify(headers))
      }
      assert.deepEqual(yield* app.status, { connects: 1, disconnects: 0, online: ["ann"] })
      assert.equal(yield* call(forge(secret, body)), 200)
      assert.deepEqual(yield* app.status, { connects: 1, disconnects: 1, online: ["ann"] })
    })
  )

  it.scopedLive("refuses a Sluice that has another secret", () =>
    Effect.gen(function* () {
      const { app, stream } = yield* both({ CALLBACK_SECRET: "another" })
      yield* assertRefused(yield* stream(yield* app.login("ann", "tea")), 401)
      assert.deepEqual(yield* app.status, { connects: 0, disconnects: 0, online: [] })
    })
  )
})

/** In place of Sluice: answers each order with the next of `statuses`, the last one from then on. */
const orders = (statuses: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const taken: Array<{ readonly status: number; readonly name: unknown }> = []
    let hear = (): void => {}
    const url = yield* HttpServer.withBodies((_, response, text) => {
      const { event } = decodeOrder(text)
      const status = statuses[Math.min(taken.length, statuses.length - 1)] ?? 200
      taken.push({ status, name: event.name })
      response.writeHead(status, { "Retry-After": "0" }).end("{}")
      hear()
    })
    const last = Effect.async<typeof taken>((resume) => {
      hear = () => {
        const order = taken[taken.length - 1]
        if (order?.name === "done" && order.status !== 503) resume(Effect.succeed(taken))
      }
      hear()
    })
    return { url, last }
  })

const decodeOrder = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Struct({ request_id: Schema.String, event: Schema.Struct({ name: Schema.String }) }))
)

describe("the example backend, when an event cannot be sent", () => {
  const outcome = (statuses: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const sluice = yield* orders(statuses)
      const app = yield* backend(yield* freePort, sluice.url)
      const { digest } = makeTree(app.root)
      const ann = yield* app.login("ann", "tea")
      assert.equal((yield* app.ask("POST", "/jobs", ann, { folder: "tree" })).status, 200)
      const taken = yield* sluice.last
      assert.equal(decodeJob((yield* app.ask("GET", "/job", ann)).text).digest, digest)
      return taken
    })

  it.scopedLive("because the reader is slow, tries again: nothing is lost", () =>
    Effect.gen(function* () {
      const taken = yield* outcome([503, 503, 200])
      assert.deepEqual(
        taken.slice(0, 3).map(({ name, status }) => `${status} ${String(name)}`),
        ["503 progress", "503 progress", "200 progress"]
      )
    })
  )

  it.scopedLive("because nobody is there, or for any other reason, goes on with the job and sends it once", () =>
    Effect.gen(function* () {
      for (const status of [404, 500]) {
        const taken = yield* outcome([status])
        assert.equal(taken.filter(({ name }) => name === "done").length, 1)
      }
    })
  )
})
