import { Option, Schema } from "effect"
import { sessions } from "./Sessions.ts"
import type { Work } from "./Work.ts"

const decode = Schema.decodeOption(
  Schema.parseJson(Schema.Struct({ event: Schema.optional(Schema.String), id: Schema.optional(Schema.String) }))
)

/** What can become of an interrupt. */
const outcomes = new Set([
  "interrupted",
  "interrupt_failed",
  "exited",
  "failed",
  "crashed",
  "detached",
  "stop_failed",
  "start_failed"
])

const ends = new Set(["exited", "crashed", "detached", "start_failed"])

/** The log of a process tells what became of all that was asked of it, and has what was said to it, once. */
export const kept = ({ acknowledged }: Work, truth: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const broken: Array<string> = []
  const ids: Array<string> = []
  let asked = 0
  // What is asked in the turn in which the process is let go has none to be asked of.
  let isAttached = false
  for (const [place, data] of truth) {
    if (!place.startsWith(`${sessions.w} `)) continue
    const said = Option.getOrUndefined(decode(data))
    if (said?.event === "starting") isAttached = true
    if (said?.event === "interrupting" && isAttached) asked += 1
    if (said?.event !== undefined && outcomes.has(said.event)) asked = 0
    if (said?.event !== undefined && ends.has(said.event)) isAttached = false
    if (said?.event === undefined && said?.id !== undefined) ids.push(said.id)
  }
  if (asked > 0) broken.push("6: the log does not tell what became of an interrupt")
  for (const id of acknowledged)
    if (!ids.includes(id)) broken.push(`1: message ${id} was acknowledged, and is not there`)
  if (new Set(ids).size < ids.length) broken.push(`2: a message is in the log twice: ${ids.join(", ")}`)
  return broken
}
