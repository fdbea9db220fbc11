import { assert, describe, it } from "@effect/vitest"
import { isLegal, isSynced } from "../../src/domain/Lifecycle.ts"
import { SessionState } from "../../src/domain/Session.ts"

/** Design §5, row by row: from a state, whom anyone may ask for, and what only recovery may do. */
const drawn: Readonly<Record<SessionState, readonly [anyone: string, recovery: string]>> = {
  CREATED: ["STARTING CLOSING ENDED", ""],
  STARTING: ["ACTIVE CLOSING", "DETACHED ENDED"],
  ACTIVE: ["SUSPENDED DETACHED CLOSING", "ENDED"],
  SUSPENDED: ["ACTIVE DETACHED CLOSING", "ENDED"],
  DETACHED: ["ACTIVE CLOSING", "ENDED"],
  CLOSING: ["ENDED", ""],
  ENDED: ["", ""]
}

describe("the legal moves of a session", () => {
  for (const from of SessionState.literals) {
    const [anyone, recovery] = drawn[from]
    it(`are, from ${from}, ${anyone || "none"}${recovery && `; for recovery also ${recovery}`} (S97)`, () => {
      for (const to of SessionState.literals) {
        assert.equal(isLegal(from, to), anyone.split(" ").includes(to), `${from} to ${to}`)
        const forRecovery = `${anyone} ${recovery}`.split(" ").includes(to)
        assert.equal(isLegal(from, to, "recovery"), forRecovery, `${from} to ${to}, for recovery`)
      }
    })
  }

  it("lead from everywhere to ENDED, and from there nowhere", () => {
    for (const from of SessionState.literals) {
      const reached = new Set([from])
      for (const at of reached) for (const to of SessionState.literals) if (isLegal(at, to)) reached.add(to)
      assert.isTrue(reached.has("ENDED"), from)
    }
  })

  it("are looked after by the periodic sync in CREATED, STARTING and ACTIVE (S87)", () => {
    assert.deepEqual(SessionState.literals.filter(isSynced), ["CREATED", "STARTING", "ACTIVE"])
  })
})
