import { assert, describe, it } from "@effect/vitest"
import * as ControlFrame from "../../src/protocol/ControlFrame.ts"
import { cutText, read } from "./StandardReader.ts"

const opened: ControlFrame.Opened = {
  session: "s-1",
  epoch: "k3x9",
  cursor: "k3x9.50",
  oldest: 1,
  head: 80,
  mode: "resumed"
}
const unknown: ControlFrame.Opened = { session: "s-2", epoch: null, cursor: null, oldest: 1, head: 0, mode: "started" }
const greeting: ControlFrame.Greeting = { token: "b8c5f3e2-7a41-4d0c-9f56-2f3f0b6f1a77", heartbeat: 15, retry: 2000 }
const gap: ControlFrame.Gap = {
  session: "s-1",
  after: 10,
  next: 5801,
  missed: 5790,
  oldest: 1,
  head: 6000,
  reason: "cap"
}

const json = (text: string): unknown => JSON.parse(text)

/** The one frame of `text` as a plain reader sees it, at every split. */
const assertFrame = (text: string, name: string, body: unknown, id?: string, retry?: number): void => {
  for (let at = 0; at <= text.length; at++) {
    const { comments, events, retries } = read(cutText(text, [at]))
    assert.deepStrictEqual(
      events.map(({ data, ...rest }) => ({ ...rest, body: json(data) })),
      [{ name, id, body }]
    )
    assert.deepStrictEqual({ comments, retries }, { comments: [], retries: retry === undefined ? [] : [retry] })
  }
}

describe("ControlFrame", () => {
  it("hello is retry, id, name and one line of JSON (S53)", () => {
    assert.strictEqual(
      ControlFrame.hello({ ...greeting, ...opened }, "k3x9.50"),
      `retry: 2000\nid: k3x9.50\nevent: sluice.hello\ndata: ${JSON.stringify({ ...greeting, ...opened })}\n\n`
    )
    assertFrame(
      ControlFrame.hello({ ...greeting, ...opened }, "k3x9.50"),
      "sluice.hello",
      { ...greeting, ...opened },
      "k3x9.50",
      2000
    )
  })

  it("hello for a session that the store does not know has null for epoch and cursor, and no id (S88)", () => {
    const body = { ...greeting, ...unknown }
    assertFrame(ControlFrame.hello(body), "sluice.hello", body, undefined, 2000)
  })

  it("hello tells a Last-Event-ID that is no cursor, and says nothing of it otherwise (S80)", () => {
    const body: ControlFrame.Hello = { ...greeting, ...opened, mode: "reset", problem: "bad_cursor" }
    assertFrame(ControlFrame.hello(body), "sluice.hello", body, undefined, 2000)
    assert.notInclude(ControlFrame.hello({ ...greeting, ...opened }), "problem")
  })

  it("hello of a stream over several sessions lists them, and has the vector as its id (S51)", () => {
    const body: ControlFrame.Hello = { ...greeting, sessions: [opened, unknown] }
    assertFrame(ControlFrame.hello(body, "s--1.k3x9.50"), "sluice.hello", body, "s--1.k3x9.50", 2000)
  })

  it("gap carries the place before its next event as id, so that a browser does not ask for it again (S75)", () => {
    assertFrame(ControlFrame.gap(gap, "k3x9.5800"), "sluice.gap", gap, "k3x9.5800")
    assertFrame(ControlFrame.gap(gap), "sluice.gap", gap)
  })

  it("gap says null where the missed events cannot be counted (S79)", () => {
    const body: ControlFrame.Gap = { ...gap, missed: null, reason: "epoch" }
    assertFrame(ControlFrame.gap(body), "sluice.gap", body)
  })

  it("live, end and bye are their JSON without id, so that they do not move the reader (S73, S89, S44)", () => {
    const live: ControlFrame.Live = { session: "s-1", cursor: "k3x9.80" }
    assertFrame(ControlFrame.live(live), "sluice.live", live)
    assertFrame(ControlFrame.live({ session: "s-2", cursor: null }), "sluice.live", { session: "s-2", cursor: null })
    for (const reason of ["ended", "deleted"] as const) {
      assertFrame(ControlFrame.end({ ...live, reason }), "sluice.end", { ...live, reason })
    }
    for (const reason of ["shutdown", "age", "overload", "error"] as const) {
      assertFrame(ControlFrame.bye({ reason, retry: 3141 }), "sluice.bye", { reason, retry: 3141 }, undefined, 3141)
    }
  })

  it("bye is retry, name and one line of JSON", () => {
    assert.strictEqual(
      ControlFrame.bye({ reason: "age", retry: 3141 }),
      `retry: 3141\nevent: sluice.bye\ndata: {"reason":"age","retry":3141}\n\n`
    )
  })

  it("every name begins with the prefix that producers cannot use (S50)", () => {
    for (const name of Object.values(ControlFrame.names)) assert.isTrue(name.startsWith(ControlFrame.reservedPrefix))
    assert.strictEqual(ControlFrame.reservedPrefix, "sluice.")
  })
})
