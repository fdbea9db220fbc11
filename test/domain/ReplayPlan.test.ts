import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"

const epoch = "k3x9"
const log = (oldest: number, head: number): ReplayPlan.Log => ({ epoch, oldest, head })
const unknown: ReplayPlan.Log = { epoch: undefined, oldest: 1, head: 0 }
const cursor = (seq: number, of = epoch): ReplayPlan.Position => ReplayPlan.at({ epoch: of, seq })
const live = (mode: ReplayPlan.ReplayPlan["mode"], after: number): ReplayPlan.ReplayPlan => ({
  mode,
  after,
  gap: undefined
})

interface Row {
  readonly says: string
  readonly given: readonly [log: ReplayPlan.Log, position: ReplayPlan.Position, cap: number]
  readonly plan: ReplayPlan.ReplayPlan
}

/** The table of design §4, line by line. */
const table: ReadonlyArray<Row> = [
  { says: "from=head is live at once", given: [log(1, 80), ReplayPlan.head, 200], plan: live("started", 80) },
  {
    says: "from=head on an empty log is live at once",
    given: [log(1, 0), ReplayPlan.head, 200],
    plan: live("started", 0)
  },
  {
    says: "from=head on an unknown session waits for event 1 (S88)",
    given: [unknown, ReplayPlan.head, 200],
    plan: live("started", 0)
  },
  { says: "a cursor at the head is live at once", given: [log(1, 80), cursor(80), 200], plan: live("resumed", 80) },
  {
    says: "a cursor at the head of a log of which nothing is kept is live at once",
    given: [log(81, 80), cursor(80), 200],
    plan: live("resumed", 80)
  },
  {
    says: "cursor 50 of 80 gets 51..80 without a gap (S73)",
    given: [log(1, 80), cursor(50), 200],
    plan: live("resumed", 50)
  },
  {
    says: "behind by exactly the cap is no gap (S74)",
    given: [log(1, 300), cursor(100), 200],
    plan: live("resumed", 100)
  },
  {
    says: "behind by one more than the cap misses one (S74)",
    given: [log(1, 300), cursor(99), 200],
    plan: { mode: "resumed", after: 100, gap: { after: 99, next: 101, missed: 1, reason: "cap" } }
  },
  {
    says: "cursor 10 of 6,000 gets the newest 200 after one gap (S75, S76)",
    given: [log(1, 6000), cursor(10), 200],
    plan: { mode: "resumed", after: 5800, gap: { after: 10, next: 5801, missed: 5790, reason: "cap" } }
  },
  {
    says: "from=start of 6,000 gets the newest 200 after one gap (S75)",
    given: [log(1, 6000), ReplayPlan.start, 200],
    plan: { mode: "started", after: 5800, gap: { after: 0, next: 5801, missed: 5800, reason: "cap" } }
  },
  {
    says: "from=start of a short log gets all of it",
    given: [log(1, 200), ReplayPlan.start, 200],
    plan: live("started", 0)
  },
  {
    says: "from=start of an unknown session waits for event 1 (S88)",
    given: [unknown, ReplayPlan.start, 200],
    plan: live("started", 0)
  },
  {
    says: "a cursor before the oldest kept gets what is kept (S78)",
    given: [log(500, 600), cursor(10), 200],
    plan: { mode: "resumed", after: 499, gap: { after: 10, next: 500, missed: 489, reason: "retention" } }
  },
  {
    says: "a cursor just before the oldest kept misses nothing (S78)",
    given: [log(500, 600), cursor(499), 200],
    plan: live("resumed", 499)
  },
  {
    says: "a cursor one further back misses one",
    given: [log(500, 600), cursor(498), 200],
    plan: { mode: "resumed", after: 499, gap: { after: 498, next: 500, missed: 1, reason: "retention" } }
  },
  {
    says: "retention is the reason when the cap applies too, and the one gap counts both",
    given: [log(500, 6000), cursor(10), 200],
    plan: { mode: "resumed", after: 5800, gap: { after: 10, next: 5801, missed: 5790, reason: "retention" } }
  },
  {
    says: "from=start of a log that lost its beginning tells it",
    given: [log(500, 600), ReplayPlan.start, 200],
    plan: { mode: "started", after: 499, gap: { after: 0, next: 500, missed: 499, reason: "retention" } }
  },
  {
    says: "when nothing is kept, the next event is the one after the head",
    given: [log(601, 600), cursor(10), 200],
    plan: { mode: "resumed", after: 600, gap: { after: 10, next: 601, missed: 590, reason: "retention" } }
  },
  {
    says: "a cursor of the former epoch gets the new log from its beginning (S79)",
    given: [log(1, 5), cursor(3, "former"), 200],
    plan: { mode: "reset", after: 0, gap: { after: 0, next: 1, missed: null, reason: "epoch" } }
  },
  {
    says: "a cursor of the former epoch gets the newest of a long new log, and epoch stays the reason",
    given: [log(500, 6000), cursor(9000, "former"), 200],
    plan: { mode: "reset", after: 5800, gap: { after: 0, next: 5801, missed: null, reason: "epoch" } }
  },
  {
    says: "a cursor into a log that was deleted is told so, and waits for event 1",
    given: [unknown, cursor(3), 200],
    plan: { mode: "reset", after: 0, gap: { after: 0, next: 1, missed: null, reason: "epoch" } }
  },
  {
    says: "a cursor ahead of the head is told that the log lost its tail, and is live from the head (S79)",
    given: [log(1, 5), cursor(99), 200],
    plan: { mode: "reset", after: 5, gap: { after: 5, next: 6, missed: null, reason: "ahead" } }
  },
  {
    says: "the place before a log existed gets it from event 1, resumed and without a gap (S88)",
    given: [log(1, 5), ReplayPlan.at(Cursor.origin), 200],
    plan: live("resumed", 0)
  },
  {
    says: "the place before a log existed waits as long as there is none",
    given: [unknown, ReplayPlan.at(Cursor.origin), 200],
    plan: live("resumed", 0)
  }
]

describe("ReplayPlan", () => {
  for (const { given, plan, says } of table) {
    it(says, () => assert.deepStrictEqual(ReplayPlan.make(...given), plan))
  }
})

const upTo = (last: number): ReadonlyArray<number> => Array.from({ length: last }, (_, index) => index + 1)

/** The same table by lists of events and no arithmetic: what the reader has, what is kept, what is delivered, what is lost. */
const enumerated = (log: ReplayPlan.Log, position: ReplayPlan.Position, cap: number) => {
  const ever = upTo(log.head)
  const kept = ever.filter((seq) => seq >= log.oldest)
  const at = position._tag === "At" && !Cursor.isOrigin(position.cursor) ? position.cursor : undefined
  const isOtherLog = at !== undefined && at.epoch !== log.epoch
  const isAhead = at !== undefined && !isOtherLog && !ever.includes(at.seq) && at.seq !== 0
  const isLive = position._tag === "Head" || isAhead
  const has = isLive ? ever : at !== undefined && !isOtherLog ? upTo(at.seq) : []

  const wanted = ever.filter((seq) => !has.includes(seq))
  const delivered = wanted.filter((seq) => kept.includes(seq)).slice(-cap)
  const lost = wanted.filter((seq) => !delivered.includes(seq))
  const reason = isOtherLog
    ? "epoch"
    : isAhead
      ? "ahead"
      : lost.some((seq) => !kept.includes(seq))
        ? "retention"
        : lost.length > 0
          ? "cap"
          : undefined
  const gap = reason && {
    after: has.at(-1) ?? 0,
    next: delivered[0] ?? log.head + 1,
    missed: isOtherLog || isAhead ? null : lost.length,
    reason
  }
  const mode = isOtherLog || isAhead ? "reset" : position._tag === "At" ? "resumed" : "started"
  return { delivered, gap, mode }
}

describe("every small position (S81)", () => {
  const heads = [0, ...upTo(12)]
  const logs = [
    unknown,
    ...upTo(8).flatMap((oldest) => heads.filter((head) => oldest <= head + 1).map((head) => log(oldest, head)))
  ]
  const positions = [
    ReplayPlan.head,
    ReplayPlan.start,
    ...[epoch, "other", Cursor.origin.epoch].flatMap((of) => [0, ...upTo(14)].map((seq) => cursor(seq, of)))
  ]
  const every = logs.flatMap((log) =>
    positions.flatMap((position) => upTo(6).map((cap) => [log, position, cap] as const))
  )

  it("gets exactly the events and the gap that the table says, counted one by one", () => {
    for (const given of every) {
      const [log] = given
      const { after, gap, mode } = ReplayPlan.make(...given)
      const delivered = upTo(log.head).filter((seq) => seq > after)
      const title = JSON.stringify(given)
      assert.deepStrictEqual({ delivered, gap, mode }, enumerated(...given), title)
    }
  })

  it("never replays more than the cap nor what is not kept, and a gap is followed by its next event", () => {
    for (const given of every) {
      const [log, , cap] = given
      const { after, gap } = ReplayPlan.make(...given)
      assert.isAtMost(log.head - after, cap)
      assert.isAtLeast(after, log.oldest - 1)
      assert.isAtMost(after, log.head)
      if (gap !== undefined) assert.strictEqual(gap.next, after + 1)
    }
  })
})

describe("every large position (S81)", () => {
  const large = fc.record({
    head: fc.maxSafeNat(),
    kept: fc.maxSafeNat(),
    seq: fc.maxSafeNat(),
    cap: fc.integer({ min: 1, max: 1_000_000 })
  })

  it.prop("accounts for each event after the cursor: it is delivered or counted as missed", { large }, ({ large }) => {
    const { cap, head } = large
    const oldest = head - (large.kept % (head + 1)) + 1
    const seq = large.seq % (head + 1)
    const { after, gap } = ReplayPlan.make(log(oldest, head), cursor(seq), cap)
    assert.isAtMost(head - after, cap)
    assert.strictEqual((gap?.missed ?? 0) + (head - after), head - seq)
    assert.strictEqual(gap === undefined, after === seq)
  })
})
