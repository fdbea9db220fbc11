import * as assert from "node:assert/strict"
import * as fs from "node:fs"
import { describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer } from "effect"
import { SessionId } from "../../src/domain/Session.ts"
import * as ChildProcess from "../../src/process/ChildProcess.ts"
import * as Listening from "../../src/server/Listening.ts"
import * as Server from "../../src/server/Server.ts"
import { Processes } from "../../src/session/worker/Processes.ts"
import * as TestServer from "../../src/testing/TestServer.ts"
import * as Call from "../http/Call.ts"
import * as Sluice from "../http/Sluice.ts"

/** Of this process, living and dead: a child that was not reaped is still in the list. */
const children = (): ReadonlyArray<string> =>
  fs
    .readdirSync("/proc/self/task")
    .flatMap((task) => fs.readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" "))
    .filter((pid) => pid !== "")

/** A server in this process, which runs programs of Node for its sessions. */
const server = (overrides: TestServer.Overrides = {}) =>
  Effect.map(Layer.build(Server.layer(TestServer.config(overrides))), (context) => {
    const sluice = Sluice.at(Context.get(context, Listening.Listening).url)
    const processes = Context.get(context, Processes)

    const node = (session: string, source: string, format: ChildProcess.Options["format"] = "text") =>
      processes.attach(
        SessionId.make(session),
        ChildProcess.make({ command: process.execPath, args: ["-e", source], format })
      )

    /** Until the log of a session has such an event. */
    const until = (session: string, isSuch: (text: string) => boolean): Effect.Effect<string> =>
      Effect.flatMap(sluice.call(`/v1/sessions/${session}/events?limit=1000&order=desc`), ({ text }) =>
        isSuch(text) ? Effect.succeed(text) : until(session, isSuch)
      )

    /** `name data` of each event, in order, once the session has ended. */
    const ended = (session: string) =>
      Effect.gen(function* () {
        yield* sluice.untilSession(session, ({ state }) => state === "ENDED")
        const answer = yield* sluice.call(`/v1/sessions/${session}/events?limit=1000`)
        const { events } = JSON.parse(answer.text) as { events: ReadonlyArray<{ name: string; data: string }> } // as: the contract's form
        return events.slice(4).map(({ data, name }) => `${name.replace("sluice.", "")} ${data}`)
      })

    return { ...sluice, node, until, ended, attach: processes.attach } as const
  })

const end = (reason: string) => [
  `state {"state":"CLOSING","from":"ACTIVE","reason":"${reason}"}`,
  `state {"state":"ENDED","from":"CLOSING","reason":"${reason}"}`
]

describe("a program as the process of a session", () => {
  it.scopedLive("has its lines and its exit code in the log, and leaves no child (S107)", () =>
    Effect.gen(function* () {
      const sluice = yield* server()
      yield* sluice.node("a", 'console.log("one\\ntwo"); console.error("oh"); process.exitCode = 1')
      const log = yield* sluice.ended("a")
      assert.deepEqual([...log].sort(), [
        'process {"event":"exited","code":1,"signal":null}',
        ...end("exited").sort(),
        "stderr oh",
        "stdout one",
        "stdout two"
      ])
      assert.deepEqual(log.slice(-3), ['process {"event":"exited","code":1,"signal":null}', ...end("exited")])
      assert.deepEqual(children(), [])
    })
  )

  it.scopedLive("that does not exist is told, and nothing else happens", () =>
    Effect.gen(function* () {
      const sluice = yield* server()
      yield* sluice.attach(
        SessionId.make("a"),
        ChildProcess.make({ command: "/no/such/program", args: [], format: "text" })
      )
      yield* sluice.untilSession("a", ({ state }) => state === "ENDED")
      assert.match(yield* sluice.until("a", () => true), /start_failed.*no\/such\/program/)
    })
  )

  it.scopedLive("speaks JSON lines both ways, and a message to a closed stdin is told as failed", () =>
    Effect.gen(function* () {
      const sluice = yield* server()
      const program = `
        const lines = require("node:readline").createInterface({ input: process.stdin })
        const stay = setInterval(() => {}, 1000)
        lines.on("line", (line) => {
          const { id, data } = JSON.parse(line)
          if (data === "close") { console.log(JSON.stringify({ name: "closed", data: null })); require("node:fs").closeSync(0) }
          else console.log(JSON.stringify({ name: "echo", data: { id, data } }))
        })
        process.on("SIGTERM", () => process.exit(0))`
      yield* sluice.node("a", program, "json")
      const say = (id: string, data: unknown) => sluice.post("/v1/sessions/a/messages", { id, data })
      yield* say("m1", ["ö", { n: 1 }])
      yield* sluice.until("a", (text) => text.includes("echo"))
      yield* say("m2", "close")
      yield* sluice.until("a", (text) => text.includes('"closed"'))
      yield* say("m3", "too late")
      yield* sluice.until("a", (text) => text.includes("message_failed"))
      yield* sluice.post("/v1/sessions/a/stop", {})
      const log = yield* sluice.ended("a")
      assert.ok(log.includes('echo {"id":"m1","data":["ö",{"n":1}]}'), log.join("\n"))
      assert.match(
        log.join("\n"),
        /process {"event":"message_failed","id":"m3","problem":"[^"]*standard input is closed"}/
      )
      assert.deepEqual(children(), [])
    })
  )

  it.scopedLive("that ignores SIGTERM, and its own children, are killed after the deadline", () =>
    Effect.gen(function* () {
      const sluice = yield* server({ process: { deadline: Duration.millis(300) } })
      yield* sluice.node(
        "a",
        `const child = require("node:child_process").spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], { stdio: "ignore" })
         process.on("SIGTERM", () => {}); console.log("pid " + child.pid); setInterval(() => {}, 1000)`
      )
      const text = yield* sluice.until("a", (text) => text.includes("pid "))
      const grandchild = /pid (\d+)/.exec(text)?.[1] ?? assert.fail("no pid")
      yield* sluice.post("/v1/sessions/a/stop", {})
      const log = yield* sluice.ended("a")
      assert.deepEqual(log.slice(-3), [
        'process {"event":"stop_failed","problem":"it was not done within 300ms"}',
        'process {"event":"exited","code":null,"signal":"SIGKILL"}',
        'state {"state":"ENDED","from":"CLOSING","reason":"stopped"}'
      ])
      const state = () =>
        fs.existsSync(`/proc/${grandchild}/stat`) ? fs.readFileSync(`/proc/${grandchild}/stat`, "utf8") : "gone"
      yield* Effect.repeat(Effect.sync(state), { until: (stat) => stat === "gone" || / [ZX] /.test(stat) })
      assert.deepEqual(children(), [])
    })
  )

  it.scopedLive("takes a hundred interrupts at once as one, and goes on; one that ends of it is told", () =>
    Effect.gen(function* () {
      const sluice = yield* server()
      yield* sluice.node(
        "a",
        'let n = 0; process.on("SIGINT", () => console.log("caught " + ++n)); console.log("up"); setInterval(() => {}, 1000)'
      )
      yield* sluice.node("b", 'console.log("up"); setInterval(() => {}, 1000)')
      for (const session of ["a", "b"]) yield* sluice.until(session, (text) => text.includes("up"))
      const answers = yield* Effect.all(
        Array.from({ length: 100 }, () => sluice.post("/v1/sessions/a/interrupt", {})),
        { concurrency: "unbounded" }
      )
      for (const { status } of answers) assert.equal(status, 202)
      yield* sluice.until("a", (text) => text.includes("caught"))
      yield* sluice.post("/v1/sessions/b/interrupt", {})
      const log = yield* sluice.ended("b")
      assert.ok(log.includes('process {"event":"exited","code":null,"signal":"SIGINT"}'), log.join("\n"))
      Call.assertError(yield* sluice.post("/v1/sessions/b/interrupt", {}), 409, "NOTHING_RUNS")
      assert.equal(Call.json(yield* sluice.call("/v1/sessions/a"))["state"], "ACTIVE")
      yield* sluice.post("/v1/sessions/a/stop", {})
      yield* sluice.ended("a")
      assert.deepEqual(children(), [])
    })
  )

  // promises 3 and 6
  it.scopedLive(
    "that floods with 1 GB is slowed by the log: memory stays bounded, other sessions are served (S107)",
    () =>
      Effect.gen(function* () {
        const sluice = yield* server({ session: { retainEvents: 100 } })
        const megabytes = 1024
        yield* sluice.node(
          "flood",
          `const line = "x".repeat(65535) + "\\n"; let left = ${megabytes} * 16
         const more = () => { while (left-- > 0) if (!process.stdout.write(line)) return process.stdout.once("drain", more) }
         more()`
        )
        yield* sluice.until("flood", (text) => text.includes("stdout"))
        const before = process.memoryUsage.rss()
        let highest = before
        let served = 0
        const watch = Effect.gen(function* () {
          yield* sluice.add("other", { data: `${served}` })
          served += 1
          highest = Math.max(highest, process.memoryUsage.rss())
          return Call.json(yield* sluice.call("/v1/sessions/flood"))["state"]
        })
        yield* Effect.repeat(watch, { until: (state) => state === "ENDED" })
        const { head } = Call.json(yield* sluice.call("/v1/sessions/flood"))
        assert.equal(head, 4 + megabytes * 16 + 3)
        assert.ok(served > 20, `${served} appends of another session`)
        assert.ok(highest - before < 400 * 1024 * 1024, `${Math.round((highest - before) / 1e6)} MB more`)
        assert.deepEqual(children(), [])
      })
  )
})
