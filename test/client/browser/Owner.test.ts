import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import * as Frames from "../../../src/client/core/Frames.ts"
import * as Reader from "../../../src/client/core/Reader.ts"
import * as Readers from "../../../src/client/core/Readers.ts"
import * as ControlFrame from "../../../src/protocol/ControlFrame.ts"
import * as FrameDecoder from "../../../src/protocol/FrameDecoder.ts"

const at = { epoch: "e", seq: 4 }
const owner = ControlFrame.owner({ session: "a", owner: false })

describe("the frame that says that a session is another connection's for writing", () => {
  it("is a step of its own, and moves no reader, also with the id of the event before it", () => {
    const reader = Reader.make({ epoch: "e", seq: 3 })
    const frames = FrameDecoder.make().feed(`id: e.4\ndata: x\n\n${owner}`)
    const [next, steps] = Readers.receive(new Map([["a", reader]]), frames.flatMap(Frames.ofOne("a")))
    assert.deepEqual(next.get("a")?.cursor, at)
    assert.deepEqual(
      steps.map(({ step }) => step.type),
      ["event", "owner"]
    )
  })

  it("is of the session that it names, on a stream over several", () => {
    const readers = new Map(["a", "b"].map((session) => [session, Reader.make(at)]))
    const frames = FrameDecoder.make().feed(owner)
    const [next, steps] = Readers.receive(readers, frames.flatMap(Frames.ofSeveral))
    assert.deepEqual(next, readers)
    assert.deepEqual(steps, [{ session: "a", step: { type: "owner" } }])
  })
})
