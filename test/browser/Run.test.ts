import * as assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Children from "../process/Children.ts"
import * as Process from "../scenarios/Process.ts"
import * as Requests from "../scenarios/Requests.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as Chromium from "./Chromium.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const session = "tests"

/** Tests of this very project, told one by one as they pass: some 300 lines in 10 to 20 seconds. */
const tests = `node_modules/vitest/vitest.mjs run test/domain test/protocol --reporter=verbose --no-file-parallelism`

const settings = { SLUICE_REPLAY_CAP: "100000", NO_COLOR: "1", FORCE_COLOR: "0" }

/** `sluice run tests -- …` in this checkout. `server` is `sluice serve` on the same port and file: it is to be started later. */
const running = (command: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started(settings)
    yield* server.stop
    const store = `sqlite:${server.filename}`
    const flags = ["--port", new URL(server.url).port, "--store", store]
    const run = yield* Process.make(["run", session, ...flags, "--", ...command], { cwd: root, env: settings })
    yield* run.says(/listening on /)
    return { ...run, server, url: `${server.url}/?session=${session}&from=start` }
  })

const runsTests = running(["node", ...tests.split(" ")])

const dataset = "document.documentElement.dataset"

/** Waits for some output of the tests themselves. */
const isInTheMiddle = (page: Chromium.Page) =>
  page.until(`${dataset}.life === "ACTIVE" && document.querySelectorAll("#log li.stdout").length > 20`)

const Row = Schema.Struct({ seq: Schema.Number, kind: Schema.String, text: Schema.String })
const decodeRows = Schema.decodeUnknownSync(Schema.Array(Row))

/** What a reader sees, in order. */
const rows = (page: Chromium.Page) =>
  Effect.map(
    page.run(`Array.from(document.querySelectorAll("#log li"), (row) => ({
      seq: Number(row.querySelector(".seq").textContent),
      kind: row.className.split(" ")[1],
      text: row.querySelector(".data").textContent
    }))`),
    decodeRows
  )

/** What the server tells in its own words, as the page puts it. */
const told = (page: Chromium.Page) =>
  Effect.map(rows(page), (all) => all.filter(({ kind }) => kind === "told").map(({ text }) => text))

const shown = (page: Chromium.Page, id: string) => page.run(`document.querySelector("#${id}").textContent`)

const disabled = (page: Chromium.Page) =>
  page.run(`Array.from(document.querySelectorAll("#job :disabled"), ({ id }) => id).join(" ")`)

/** The page has all of the log, each event once and under its number, and found no hole; the log itself is whole. */
const assertWhole = (page: Chromium.Page, server: ServerProcess.ServerProcess) =>
  Effect.gen(function* () {
    const { events, head } = yield* Requests.history(server, session)
    assert.deepEqual(
      events.map(({ seq }) => seq),
      Array.from({ length: head }, (_, index) => index + 1)
    )
    yield* page.until(`document.querySelectorAll("#log li").length >= ${head}`)
    const seen = yield* rows(page)
    const ofOutput = ({ data, name, seq }: (typeof events)[number]) => ({ seq, kind: name, text: data })
    assert.deepEqual(
      seen.filter(({ kind }) => kind !== "told"),
      events.filter(({ name }) => !name.startsWith("sluice.")).map(ofOutput)
    )
    assert.deepEqual(
      seen.map(({ seq }) => seq),
      events.map(({ seq }) => seq)
    )
    assert.equal(yield* page.run(`${dataset}.holes`), "0")
    assert.deepEqual(page.errors, [])
    return { events, seen }
  })

/** The processes of a group that run. */
const membersOf = (group: number): ReadonlyArray<number> =>
  readdirSync("/proc")
    .map(Number)
    // Behind the name, which may have any character: state, parent, group.
    .filter(
      (pid) =>
        Children.text(`/proc/${pid}/stat`)
          .replace(/^.*\) /s, "")
          .split(" ")[2] === `${group}`
    )
    .filter(Children.isAlive)

const opening = (url: string) => Effect.flatMap(Chromium.make, ({ open }) => open(url))

/** A real run takes its time, and more of it on a busy machine. */
const timeout = 150_000

describe("a real test run of this project, as the process of a session, in Chromium", () => {
  it.scopedLive(
    "is all there for who closes the browser in the middle and comes back (promises 1 and 2)",
    () =>
      Effect.gen(function* () {
        const { says, server, url } = yield* runsTests
        const before = yield* Effect.scoped(
          Effect.gen(function* () {
            const page = yield* opening(url)
            yield* isInTheMiddle(page)
            assert.equal(yield* disabled(page), "")
            return yield* rows(page)
          })
        )
        const page = yield* opening(url)
        yield* isInTheMiddle(page)
        const [, code] = yield* says(/^the command ended with code (\d+); the server goes on$/m)
        yield* page.until(`${dataset}.state === "ended" && ${dataset}.life === "ENDED"`)
        const { events, seen } = yield* assertWhole(page, server)
        assert.deepEqual(seen.slice(0, before.length), before)
        assert.ok(before.length < seen.length)
        assert.ok(events.some(({ data }) => /Test Files .* passed/.test(data)))
        assert.deepEqual(yield* told(page), [
          "a process is to start",
          "CREATED → STARTING",
          "the process started: node",
          "STARTING → ACTIVE",
          `the process exited with code ${code}`,
          "ACTIVE → CLOSING (exited)",
          "CLOSING → ENDED (exited)"
        ])
        assert.equal(yield* shown(page, "reason"), "exited")
        assert.equal(yield* disabled(page), "interrupt stop text send")

        // Opened once more, long after its end.
        yield* page.reload
        yield* page.until(`${dataset}.state === "ended" && ${dataset}.life === "ENDED"`)
        yield* assertWhole(page, server)
      }),
    timeout
  )

  for (const [button, event, outcome] of [
    ["interrupt", "an interrupt was asked for", "the process was interrupted"],
    ["stop", "a stop was asked for (stopped)", "ACTIVE → CLOSING (stopped)"]
  ] as const) {
    it.scopedLive(
      `ends in the middle by the button "${button}" of the page, and the outcome is in the log`,
      () =>
        Effect.gen(function* () {
          const { says, server, url } = yield* runsTests
          const page = yield* opening(url)
          yield* isInTheMiddle(page)
          yield* page.click(`#${button}`)
          yield* says(/^the command .*; the server goes on$/m)
          yield* page.until(`${dataset}.state === "ended" && ${dataset}.life === "ENDED"`)
          const { events, seen } = yield* assertWhole(page, server)
          const at = seen.findIndex(({ text }) => text === event)
          assert.equal(
            yield* page.run(`/ is event (\\d+);/.exec(document.querySelector("#told").textContent)[1]`),
            `${at + 1}`
          )
          assert.ok((yield* told(page)).includes(outcome))
          assert.ok(!events.some(({ data }) => /Test Files .* passed/.test(data)), "it went on to its end")
          assert.equal(yield* disabled(page), "interrupt stop text send")
        }),
      timeout
    )
  }

  it.scopedLive(
    "has crashed, truly, after kill -9 of its server: the log is whole, and nothing of it lives on",
    () =>
      Effect.gen(function* () {
        // Some of it would go on for long, whoever reads its output.
        const lasts = `sleep 1000 & echo "group $$"; node ${tests}; wait`
        const { ended, server, signal, url } = yield* running(["sh", "-c", lasts])
        const page = yield* opening(url)
        yield* isInTheMiddle(page)
        yield* signal("SIGKILL")
        yield* ended
        yield* page.until(`${dataset}.state === "offline"`)
        assert.equal(yield* shown(page, "life"), "ACTIVE")
        assert.equal(yield* shown(page, "reason"), "when last seen")
        const before = yield* rows(page)
        const group = Number(before.find(({ text }) => text.startsWith("group "))?.text.slice("group ".length))
        assert.notDeepEqual(membersOf(group), [])

        yield* server.start
        yield* page.until(`${dataset}.state === "ended" && ${dataset}.life === "ENDED"`)
        assert.equal(yield* shown(page, "reason"), "crashed")
        const { seen } = yield* assertWhole(page, server)
        assert.deepEqual(seen.slice(0, before.length), before)
        const last = (yield* told(page)).slice(-2)
        assert.match(last[0] ?? "", /^the process: crashed: ./)
        assert.equal(last[1], "ACTIVE → ENDED (crashed)")
        assert.deepEqual(membersOf(group), [])
        assert.equal(yield* server.stop, 0)
      }),
    timeout
  )
})

/** A page on a session in which nothing runs. */
const onSession = (given: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started(given)
    const page = yield* opening(`${server.url}/?session=${session}`)
    return { page, server }
  })

const moves = (states: ReadonlyArray<string>, key = "") =>
  `(async () => {
    const headers = { "Content-Type": "application/json", Authorization: "Bearer ${key}" }
    const send = (method, path, body) =>
      fetch("/v1/sessions/${session}" + path, { method, headers, body: JSON.stringify(body) })
    await send("POST", "/events", { data: "first" })
    for (const state of ${JSON.stringify(states)}) await send("PUT", "/state", { state })
  })()`

const isLive = `${dataset}.state === "live"`

describe("the page at /, for a session and its process", () => {
  it.scopedLive("shows the state as it is, whatever came before it, and has no buttons for what cannot run", () =>
    Effect.gen(function* () {
      const { page } = yield* onSession()
      yield* page.until(isLive)
      assert.equal(yield* shown(page, "life"), "unknown")
      // A message would begin it.
      assert.equal(yield* disabled(page), "interrupt stop")
      yield* page.run(moves([]))
      yield* page.until(`${dataset}.life === "CREATED"`)
      assert.equal(yield* disabled(page), "interrupt stop")
      yield* page.run(moves(["STARTING", "ACTIVE", "SUSPENDED", "ACTIVE"]))
      yield* page.until(`${dataset}.life === "ACTIVE"`)
      assert.equal(yield* disabled(page), "")

      // Replayed states are history: none of them shows as the present one.
      yield* page.reload
      yield* page.until(`${dataset}.life !== ""`)
      yield* page.run(`
        window.lives = []
        new MutationObserver(() => lives.push(${dataset}.life))
          .observe(document.documentElement, { attributeFilter: ["data-life"] })`)
      yield* page.until(`${isLive} && document.querySelectorAll("#log li.told").length === 4`)
      assert.deepEqual(yield* page.run(`lives.filter((life) => life !== "ACTIVE")`), [])
      assert.equal(yield* shown(page, "life"), "ACTIVE")

      yield* page.run(moves(["CLOSING", "ENDED"]))
      yield* page.until(`${dataset}.state === "ended" && ${dataset}.life === "ENDED"`)
      assert.deepEqual(page.errors, [])
    })
  )

  it.scopedLive("says in words why nothing was interrupted, and that the server does not answer", () =>
    Effect.gen(function* () {
      const { page, server } = yield* onSession()
      yield* page.run(moves(["STARTING", "ACTIVE"]))
      yield* page.until(`${dataset}.life === "ACTIVE"`)
      yield* page.click("#interrupt")
      yield* page.until(
        `document.querySelector("#told").textContent === "Not done: no process works for session tests"`
      )
      yield* server.kill9
      yield* page.click("#stop")
      yield* page.until(`document.querySelector("#told").textContent.startsWith("The server does not answer.")`)
      assert.deepEqual(page.errors, [])
    })
  )

  it.scopedLive("sends a message again by itself with the same id, so that it is taken once", () =>
    Effect.gen(function* () {
      const { page, server } = yield* onSession()
      yield* page.run(moves(["STARTING", "ACTIVE"]))
      yield* page.until(`${dataset}.life === "ACTIVE"`)
      // The server takes the first one, and its answer is lost.
      yield* page.run(`
        window.ids = []
        const real = fetch
        window.fetch = async (url, init) => {
          const response = await real(url, init)
          if (!String(url).endsWith("/messages")) return response
          ids.push(JSON.parse(init.body).id)
          if (ids.length === 1) throw new TypeError("cut off")
          return response
        }`)
      yield* page.click("#connect")
      yield* page.until(`${isLive} && ${dataset}.life === "ACTIVE"`)
      yield* page.fill("#text", "hello you")
      yield* page.click("#send")
      yield* page.until(`document.querySelector("#told").textContent.startsWith("The message is event ")`)
      const { events } = yield* Requests.history(server, session)
      const messages = events.filter(({ name }) => name === "sluice.message")
      assert.equal(messages.length, 1)
      assert.deepEqual(yield* page.run("[ids.length, new Set(ids).size]"), [2, 1])
      assert.equal(yield* shown(page, "told"), `The message is event ${messages[0]?.seq}.`)
      yield* page.until(`document.querySelector("#log").textContent.includes(": hello you")`)
      assert.deepEqual(page.errors, [])
    })
  )

  it.scopedLive("asks for the key of a server that has one, and sends it with what it asks", () =>
    Effect.gen(function* () {
      const { page } = yield* onSession({ SLUICE_API_KEY: "secret" })
      yield* page.until(`${dataset}.state === "refused"`)
      assert.equal(yield* shown(page, "life"), "unknown")
      yield* page.run(moves(["STARTING", "ACTIVE"], "secret"))
      yield* page.fill("#key", "secret")
      yield* page.click("#connect")
      yield* page.until(`${isLive} && ${dataset}.life === "ACTIVE"`)
      yield* page.fill("#text", "with a key")
      yield* page.click("#send")
      yield* page.until(`document.querySelector("#log").textContent.includes(": with a key")`)
      yield* page.fill("#key", "wrong")
      yield* page.fill("#data", "with a wrong one")
      yield* page.click("#add")
      yield* page.until(`document.querySelector("#said").textContent === "it needs an API key that is valid"`)
      assert.deepEqual(page.errors, [])
    })
  )
})
