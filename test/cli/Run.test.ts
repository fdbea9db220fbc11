import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Run from "../../src/cli/run.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Children from "../process/Children.ts"
import * as Requests from "../scenarios/Requests.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as Command from "./Command.ts"

const session = "job"

/** `sluice run job -- …`, and a reader of all that it puts out. */
const started = (command: ReadonlyArray<string>, flags: ReadonlyArray<string> = ["--store", "memory:"]) =>
  Effect.gen(function* () {
    const server = yield* Command.start(["run", session, "--port", "0", ...flags, "--", ...command])
    const [, url = ""] = yield* server.says(/listening on (http:\/\/127\.0\.0\.1:\d+)\n/)
    const stream = yield* StreamClient.open(`${url}/v1/sessions/${session}/stream?from=start`)
    return { ...server, url, stream }
  })

const sh = (script: string, flags?: ReadonlyArray<string>) => started(["sh", "-c", script], flags)

/** What is in the log, the server's own events as JSON. */
const logOf = (server: { readonly url: string }) =>
  Effect.map(Requests.history(server, session), ({ events }) =>
    events.map(({ data, name }) => [name, name.startsWith("sluice.") ? JSON.parse(data) : data] as const)
  )

const starts = (title: string) => [
  ["sluice.process", { event: "starting" }],
  ["sluice.state", { state: "STARTING", from: "CREATED" }],
  ["sluice.process", { event: "started", title }],
  ["sluice.state", { state: "ACTIVE", from: "STARTING" }]
]

const ends = (from: string, reason: string) => [
  ["sluice.state", { state: "CLOSING", from, reason }],
  ["sluice.state", { state: "ENDED", from: "CLOSING", reason }]
]

const exited = (code: number | null, signal: string | null = null) => [
  "sluice.process",
  { event: "exited", code, signal }
]

const misuses: ReadonlyArray<readonly [args: ReadonlyArray<string>, line: string]> = [
  [["--", "ls"], "SESSION is missing"],
  [["job"], "COMMAND is missing: it stands after --"],
  [["job", "--"], "COMMAND is missing: it stands after --"],
  [["job", "ls"], `one SESSION only, not also "ls"`],
  [["job", "--nope", "--", "ls"], "Unknown option '--nope'"]
]

describe("sluice run", () => {
  for (const [args, line] of misuses) {
    it.effect(`says what is wrong with "sluice ${["run", ...args].join(" ")}", and how it is used`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Run.run(args))
        assert.equal(error.line, line)
        assert.equal(error.exitCode, 1)
        assert.match(error.usage ?? "", /^usage: sluice run SESSION /)
      })
    )
  }

  it.scopedLive("makes an event of each line, ends the session with the command, and serves on", () =>
    Effect.gen(function* () {
      const server = yield* sh("echo one; echo; printf two; exit 3")
      yield* server.says(/^the command ended with code 3; the server goes on\n/m)
      yield* server.stream.named("sluice.end")
      assert.deepEqual(yield* logOf(server), [
        ...starts("sh"),
        ["stdout", "one"],
        ["stdout", ""],
        ["stdout", "two"],
        exited(3),
        ...ends("ACTIVE", "exited")
      ])
      assert.equal((yield* Effect.orDie(Requests.send(`${server.url}/healthz`))).status, 200)
    })
  )

  it.scopedLive("tells which signal ended the command", () =>
    Effect.gen(function* () {
      const server = yield* sh("kill -KILL $$")
      yield* server.says(/^the command was ended by SIGKILL; the server goes on\n/m)
      yield* server.stream.named("sluice.end")
      assert.deepEqual((yield* logOf(server))[4], exited(null, "SIGKILL"))
    })
  )

  it.scopedLive("keeps the server's secrets from the command, and gives it all else", () =>
    Effect.gen(function* () {
      const env = {
        SLUICE_API_KEY: "",
        CALLBACK_SECRET: "s3cret",
        CALLBACK_URL: "http://u:p@127.0.0.1:9/",
        MINE: "kept"
      }
      const script = `env | grep -E "^(SLUICE_API_KEY|CALLBACK_SECRET|CALLBACK_URL|MINE)="`
      const server = yield* Command.start(
        ["run", session, "--port", "0", "--store", "memory:", "--", "sh", "-c", script],
        env
      )
      const [, url = ""] = yield* server.says(/listening on (http:\/\/127\.0\.0\.1:\d+)\n/)
      yield* server.says(/^the command ended/m)
      const log = yield* logOf({ url })
      assert.deepEqual(log[4], ["stdout", "MINE=kept"])
    })
  )

  it.scopedLive("tells of a command that does not exist, and serves on", () =>
    Effect.gen(function* () {
      const server = yield* started(["no-such-command"])
      const [, problem = ""] = yield* server.says(/^(no-such-command was not started: .*); the server goes on\n/m)
      assert.match(problem, /no such program/)
      yield* server.stream.named("sluice.end")
      assert.deepEqual(yield* logOf(server), [
        ...starts("").slice(0, 2),
        ["sluice.process", { event: "start_failed", problem }],
        ...ends("STARTING", "start_failed")
      ])
    })
  )

  it.scopedLive("leaves flags behind -- to the command", () =>
    Effect.gen(function* () {
      const server = yield* started(["echo", "--help", "-h", "--", "--port"])
      yield* server.stream.named("sluice.end")
      assert.deepEqual((yield* logOf(server))[4], ["stdout", "--help -h -- --port"])
    })
  )

  it.scopedLive("reads events in JSON with --json, and keeps every other line as it is", () =>
    Effect.gen(function* () {
      const lines = [`{"name":"progress","data":{"percent":50}}`, "plain", `{"name":"sluice.state","data":"a lie"}`]
      const server = yield* started(["printf", "%s\n", ...lines], ["--store", "memory:", "--json"])
      yield* server.stream.named("sluice.end")
      assert.deepEqual((yield* logOf(server)).slice(4, 7), [
        ["progress", `{"percent":50}`],
        ["stdout", "plain"],
        ["stdout", lines[2]]
      ])
    })
  )

  for (const [what, flags, heard] of [
    ["as a line of text", [], "hello"],
    ["as a line of JSON with --json", ["--json"], `{"id":"m1","data":"hello","from":null}`]
  ] as const) {
    it.scopedLive(`gives a message to the command's standard input ${what}`, () =>
      Effect.gen(function* () {
        const server = yield* sh(`read -r line; echo "heard $line"`, ["--store", "memory:", ...flags])
        yield* server.stream.find(({ data }) => data.includes(`"state":"ACTIVE"`))
        const url = `${server.url}/v1/sessions/${session}/messages`
        const body = JSON.stringify({ id: "m1", data: "hello" })
        assert.equal((yield* Effect.orDie(Requests.send(url, { method: "POST", body }))).status, 202)
        yield* server.stream.named("sluice.end")
        assert.deepEqual(yield* logOf(server), [
          ...starts("sh"),
          ["sluice.message", { id: "m1", data: "hello", from: null }],
          ["stdout", `heard ${heard}`],
          exited(0),
          ...ends("ACTIVE", "exited")
        ])
      })
    )
  }

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it.scopedLive(`ends the command when it gets ${signal}, tells so in the log, and exits with 0`, () =>
      Effect.gen(function* () {
        const filename = yield* TemporaryFile.make
        const server = yield* sh("echo $$; exec sleep 1000", ["--store", `sqlite:${filename}`])
        const { data } = yield* server.stream.named("stdout")
        yield* server.signal(signal)
        const { code, err } = yield* server.done
        assert.deepEqual({ code, err }, { code: 0, err: "" })
        assert.ok(!Children.isAlive(Number(data)))

        const again = yield* ServerProcess.started({}, Effect.succeed(filename))
        assert.deepEqual(yield* logOf(again), [
          ...starts("sh"),
          ["stdout", data],
          ["sluice.process", { event: "stopping", reason: "shutdown" }],
          ["sluice.state", { state: "CLOSING", from: "ACTIVE", reason: "shutdown" }],
          exited(null, "SIGTERM"),
          ["sluice.state", { state: "ENDED", from: "CLOSING", reason: "shutdown" }]
        ])
        assert.equal(yield* again.stop, 0)
      })
    )
  }

  it.scopedLive("does not run a command for a session that has ended: one line, exit code 1", () =>
    Effect.gen(function* () {
      const flags = ["--store", `sqlite:${yield* TemporaryFile.make}`]
      const first = yield* sh("true", flags)
      yield* first.says(/the server goes on/)
      yield* first.signal("SIGTERM")
      assert.equal((yield* first.done).code, 0)
      const { code, err } = yield* Command.run(["run", session, "--port", "0", ...flags, "--", "true"])
      assert.deepEqual({ code, err }, { code: 1, err: `sluice: session ${session} is ENDED: choose another one\n` })
    })
  )
})
