import * as assert from "node:assert/strict"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as SessionEvent from "../../src/protocol/SessionEvent.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as Following from "./Following.ts"
import * as Process from "./Process.ts"
import * as Requests from "./Requests.ts"

const agent = fileURLToPath(new URL("../../docs/examples/agent/agent.mjs", import.meta.url))

const Body = Schema.Struct({
  /** Of the message that an event belongs to. */
  id: Schema.optional(Schema.String),
  text: Schema.optional(Schema.String),
  words: Schema.optional(Schema.Int),
  event: Schema.optional(Schema.String),
  state: Schema.optional(Schema.String),
  reason: Schema.optional(Schema.String),
  output: Schema.optional(Schema.Unknown)
})
const decodeBody = Schema.decodeUnknownSync(Schema.parseJson(Body))
const decodeReceipt = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Struct({ id: Schema.String, seq: Schema.Int, accepted: Schema.Literal(true) }))
)

interface Told extends Pick<StreamClient.StreamEvent, "name" | "data"> {}

/** An event of the log in a word or two, as a user would tell it; words of an answer are left to `answer`. */
const gist = ({ data, name }: Told): string => {
  const body = decodeBody(data)
  if (name === SessionEvent.names.process) return String(body.event)
  if (name === SessionEvent.names.state) return `${body.state}${body.reason === undefined ? "" : ` (${body.reason})`}`
  return `${name} ${body.id}`
}
const isWord = ({ name }: Told) => name === "delta"
const gists = (events: ReadonlyArray<Told>) => events.filter((event) => !isWord(event)).map(gist)

/** What the agent said to a message. */
const answer = (events: ReadonlyArray<Told>, id: string) =>
  events
    .filter((event) => isWord(event) && decodeBody(event.data).id === id)
    .map(({ data }) => decodeBody(data).text)
    .join("")

/** A folder with something to count and to read, and `sluice run chat` in it. */
const chat = Effect.gen(function* () {
  const cwd = dirname(yield* TemporaryFile.make)
  mkdirSync(join(cwd, "notes"))
  writeFileSync(join(cwd, "notes/numbers.txt"), Array.from({ length: 1000 }, (_, n) => `${n + 1}\n`).join(""))
  writeFileSync(join(cwd, "notes/shopping.txt"), "milk and tea\n")
  // The turns are long, and no reader should be told of a gap here.
  const env = { PORT: "0", SLUICE_STORE: "sqlite:chat.db", SLUICE_REPLAY_CAP: "2000" }
  const begin = (args: ReadonlyArray<string>) => Process.make(args, { cwd, env })
  const start = (args: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const server = yield* begin(args)
      const [, url = ""] = yield* server.says(/listening on (http:\/\/127\.0\.0\.1:\d+)\n/)
      return { ...server, url }
    })
  const running = (session: string) => ["run", session, "--json", "--", process.execPath, agent]
  return {
    start,
    run: (session: string) => start(running(session)),
    tryToRun: (session: string) => begin(running(session))
  }
})

const post = (server: { readonly url: string }, path: string, body: unknown) =>
  Effect.orDie(
    Requests.send(`${server.url}/v1/sessions/chat${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body)
    })
  )

/** The place of a message that must be accepted. */
const say = (server: { readonly url: string }, id: string, data: string) =>
  Effect.map(post(server, "/messages", { id, data }), ({ status, text }) => {
    assert.equal(status, 202, text)
    return decodeReceipt(text).seq
  })

const watch = (server: { readonly url: string }, lastId?: string) =>
  StreamClient.open(
    `${server.url}/v1/sessions/chat/stream?from=start`,
    lastId === undefined ? {} : { headers: { "Last-Event-ID": lastId } }
  )

/** The first event of this gist. */
const told = (client: StreamClient.StreamClient, wanted: string) =>
  client.find((event) => isLogged(event) && gist(event) === wanted)
/** So many words of an answer. */
const words = (client: StreamClient.StreamClient, id: string, count: number) =>
  client.until(() => answer(client.events(), id).split(" ").length >= count)

const logNames: ReadonlyArray<string> = Object.values(SessionEvent.names)
/** Of the log, not of the connection. */
const isLogged = (event: StreamClient.StreamEvent) => Following.isEvent(event) || logNames.includes(event.name)
const logged = (client: StreamClient.StreamClient) => client.events().filter(isLogged)

const begun = ["starting", "STARTING", "started", "ACTIVE"]

describe("the agent of docs/agent-chat.md", () => {
  it.scopedLive("answers in whole turns, one message after the other, each message once", () =>
    Effect.gen(function* () {
      const server = yield* (yield* chat).run("chat")
      const client = yield* watch(server)
      yield* told(client, "ACTIVE")
      assert.equal(yield* say(server, "m1", "count notes"), begun.length + 1)
      yield* say(server, "m2", "read notes/shopping.txt")
      yield* say(server, "m3", "read ../agent.mjs")
      yield* told(client, "done m3")
      const events = logged(client)
      assert.deepEqual(gists(events).slice(0, begun.length), begun)
      assert.deepEqual(
        gists(events)
          .filter((gist) => !gist.startsWith(SessionEvent.names.message))
          .slice(begun.length),
        ["tool m1", "tool m1", "done m1", "tool m2", "tool m2", "done m2", "tool m3", "tool m3", "done m3"]
      )
      assert.equal(answer(events, "m1"), "notes has 2 files with 1003 words. The longest is notes/numbers.txt.")
      assert.equal(answer(events, "m2"), "milk and tea")
      assert.equal(answer(events, "m3"), "I could not read ../agent.mjs.")
      const [, counted] = events.filter(({ name }) => name === "tool")
      assert.deepEqual(decodeBody(counted?.data).output, { files: 2, words: 1003, longest: "notes/numbers.txt" })

      // The same again, both after it was answered and twice at once.
      assert.equal(yield* say(server, "m1", "count notes"), begun.length + 1)
      const twice = yield* Effect.all([say(server, "m4", "hello"), say(server, "m4", "hello")], {
        concurrency: "unbounded"
      })
      assert.equal(twice[0], twice[1])
      const other = yield* post(server, "/messages", { id: "m1", data: "count all" })
      assert.match(other.text, /"code":"CONFLICT"/)
      assert.equal(other.status, 409)
      yield* say(server, "m5", "hello")
      yield* told(client, "done m5")
      const all = gists(logged(client))
      for (const id of ["m1", "m4", "m5"]) {
        for (const what of [`${SessionEvent.names.message} ${id}`, `done ${id}`]) {
          assert.equal(all.filter((gist) => gist === what).length, 1, what)
        }
      }
    })
  )

  it.scopedLive("breaks off its turn for a message that interrupts it, and lives on", () =>
    Effect.gen(function* () {
      const server = yield* (yield* chat).run("chat")
      const client = yield* watch(server)
      yield* say(server, "long", "read notes/numbers.txt")
      yield* words(client, "long", 5)
      const { status, text } = yield* post(server, "/interrupt", {
        message: { id: "next", data: "read notes/shopping.txt" }
      })
      assert.equal(status, 202, text)
      yield* told(client, "done next")
      const events = logged(client)
      const all = gists(events)
      const places = [`${SessionEvent.names.message} long`, "interrupting", `${SessionEvent.names.message} next`]
      const from = all.indexOf("interrupting")
      assert.deepEqual([all[begun.length], all[from], all[from + 1]], places)
      assert.deepEqual(
        all.slice(from + 2).toSorted(),
        ["interrupted", "cancelled long", "tool next", "tool next", "done next"].toSorted()
      )
      assert.ok(all.indexOf("cancelled long") < all.indexOf("tool next"))
      const spoken = answer(events, "long").split(" ")
      assert.ok(spoken.length < 1000)
      assert.deepEqual(
        spoken,
        Array.from(spoken, (_, n) => String(n + 1))
      )
      assert.equal(answer(events, "next"), "milk and tea")

      // With nothing to break off, the message that comes along is answered all the same.
      yield* post(server, "/interrupt", { message: { id: "idle", data: "hello" } })
      yield* told(client, "done idle")
      assert.ok(!gists(logged(client)).includes("cancelled idle"))
    })
  )

  it.scopedLive("talks on while its reader is away, who has all of it once when it comes back", () =>
    Effect.gen(function* () {
      const server = yield* (yield* chat).run("chat")
      const first = yield* watch(server)
      yield* say(server, "m1", "read notes/numbers.txt")
      yield* words(first, "m1", 3)
      yield* first.abort
      const seen = logged(first)
      const cursor = first.lastId()

      const second = yield* watch(server, cursor)
      yield* words(second, "m1", 3)
      yield* post(server, "/stop", {})
      yield* second.ended
      const events = [...seen, ...logged(second)]
      const { events: stored } = yield* Requests.history(server, "chat")
      assert.deepEqual(
        events.map(({ data, name }) => ({ name, data })),
        stored.map(({ data, name }) => ({ name, data }))
      )
      assert.deepEqual(gists(events).slice(-4), ["stopping", "CLOSING (stopped)", "exited", "ENDED (stopped)"])

      // A browser that returns to it stays away for good.
      assert.equal((yield* watch(server, second.lastId())).status, 204)
      yield* server.says(/the command was ended by SIGTERM; the server goes on/)
    })
  )

  it.scopedLive("is killed with its server, which tells so when it is back; no word that was seen is lost", () =>
    Effect.gen(function* () {
      const { run, start, tryToRun } = yield* chat
      const server = yield* run("chat")
      const client = yield* watch(server)
      const place = yield* say(server, "m1", "read notes/numbers.txt")
      yield* words(client, "m1", 5)
      yield* server.signal("SIGKILL")
      yield* server.ended
      yield* client.ended
      const seen = logged(client)

      const next = yield* start(["serve"])
      const back = yield* watch(next, client.lastId())
      yield* back.named("sluice.end")
      const events = [...seen, ...logged(back)]
      const { events: stored } = yield* Requests.history(next, "chat")
      assert.deepEqual(
        events.map(({ data }) => data),
        stored.map(({ data }) => data)
      )
      assert.deepEqual(gists(events).slice(-2), ["crashed", "ENDED (crashed)"])
      assert.ok(!gists(events).includes("done m1"))
      assert.equal(yield* say(next, "m1", "read notes/numbers.txt"), place)
      yield* next.signal("SIGTERM")
      assert.equal(yield* next.ended, 0)

      // It is over: a next chat needs another id.
      const again = yield* tryToRun("chat")
      assert.equal(yield* again.ended, 1)
      assert.match(again.said(), /session chat is ENDED: choose another one/)
      const other = yield* run("chat-2")
      yield* other.signal("SIGTERM")
      assert.equal(yield* other.ended, 0)
    })
  )
})
