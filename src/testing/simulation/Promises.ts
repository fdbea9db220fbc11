import { Context, Effect, Exit, Option } from "effect"
import { DisconnectOutbox } from "../../callback/DisconnectOutbox.ts"
import { ConnectionRegistry } from "../../connection/ConnectionRegistry.ts"
import { GatewayConnections } from "../../gateway/GatewayConnections.ts"
import { SessionRegistry } from "../../session/SessionRegistry.ts"
import { Processes } from "../../session/worker/Processes.ts"
import type { SessionId } from "../../domain/Session.ts"
import type { Cast, Sent } from "./Cast.ts"
import type { Reader } from "./Reader.ts"
import * as GatewayPromises from "./GatewayPromises.ts"
import * as WorkPromises from "./WorkPromises.ts"
import { sessions } from "./Sessions.ts"
import * as Reading from "./Reading.ts"
import { bounds } from "./World.ts"

/** Which promises of docs/architecture.md section 3 the world has broken, a line each. */
export type Broken = ReadonlyArray<string>

/** What every log has had, by `session epoch seq`: retention takes nothing of it, a crash does. */
const logged = (cast: Cast): ReadonlyMap<string, string> => {
  const truth = new Map<string, string>()
  for (const { epoch, events, first, session } of cast.world.disk.durable) {
    for (const [index, { data }] of events.entries()) truth.set(`${session} ${epoch} ${first + index}`, data)
  }
  return truth
}

const recordOf = (cast: Cast, session: SessionId) =>
  Option.getOrUndefined(Effect.runSync(Effect.orDie(cast.world.disk.now.events.load(session))))

const reading = ({ from, only, socket }: Reader): Reading.Reading => Reading.read(socket.events, from, only)

/** Outcomes after which nothing was stored. Any other failure: it may have been. */
const refusals = new Set(["Overloaded", "HeadConflict", "SessionEnded", "InvalidRequest", "KeyConflict", "StoreError"])

const ofSent = ({ data, outcome, session }: Sent, truth: ReadonlyMap<string, string>): Broken => {
  if (outcome === undefined) return []
  const name = `the append of ${data[0]} to ${session}`
  if (Exit.isSuccess(outcome)) {
    const { epoch, first } = outcome.value
    return data
      .filter((text, index) => truth.get(`${session} ${epoch} ${first + index}`) !== text)
      .map((text) => `1: ${name} was acknowledged, and ${text} is not there`)
  }
  return []
}

/** Promise 1, and its other side: what was refused was not stored, and what was stored once is there once. */
const appends = (cast: Cast, truth: ReadonlyMap<string, string>): Broken => {
  const broken = cast.sent.flatMap((sent) => ofSent(sent, truth))
  const times = new Map<string, number>()
  const sent = new Set(cast.sent.flatMap(({ data }) => data))
  for (const [place, data] of truth) {
    if (!sent.has(data)) continue
    const [session, epoch] = place.split(" ")
    const event = `${data} of ${session} ${epoch}`
    times.set(event, (times.get(event) ?? 0) + 1)
  }
  for (const [event, count] of times) if (count > 1) broken.push(`2: ${event} was stored ${count} times`)
  const stored = new Set(truth.values())
  for (const { data, key, outcome } of cast.sent) {
    if (key !== undefined || outcome === undefined || Exit.isSuccess(outcome)) continue
    const { cause } = outcome
    if (cause._tag !== "Fail" || !refusals.has(cause.error._tag)) continue
    for (const text of data)
      if (stored.has(text)) broken.push(`8: ${text} was refused as ${cause.error._tag}, and is stored`)
  }
  return broken
}

/** Of a gap by the cap, or by retention where the cap hides which it was: what it leaves out is not kept, or beyond the cap. */
const ofGap = ({ head, next, reason, session }: Reading.Gap, oldest: number): Broken => {
  if (reason === "epoch") return []
  if (reason === "ahead") return [`1: a reader of ${session} was ahead of the log`]
  const first = Math.max(oldest, head - bounds.replayCap + 1)
  return next <= first ? [] : [`2: a gap before ${next} of ${session} (${reason}), though ${first} and later are there`]
}

const ofReader = (cast: Cast, reader: Reader, truth: ReadonlyMap<string, string>): Broken => {
  const { gaps, hasBegun, messages, problems, retained } = reading(reader)
  const broken = problems.map((problem) => `2: ${problem}`)
  for (const { data, epoch, seq, session } of messages) {
    const known = truth.get(`${session} ${epoch} ${seq}`)
    if (known !== data) broken.push(`1: a reader got ${data} as ${session} ${epoch}.${seq}, the log has ${known}`)
  }
  for (const gap of gaps) {
    const session = Object.values(sessions).find((known) => known === gap.session)
    const record = session && recordOf(cast, session)
    if (record !== undefined && !cast.removed.has(record.session)) broken.push(...ofGap(gap, record.oldest))
  }
  if (!reader.wasPaused && hasBegun) broken.push(...GatewayPromises.ofRetained(reader.retained, retained))
  if (reader.socket.lateWrites > 0) broken.push("6: something was written to a socket that had ended")
  return broken
}

/** Promises 1, 2 and 8 of all that was sent and read so far. */
export const kept = (cast: Cast): Broken => {
  const truth = logged(cast)
  return [
    ...cast.world.defects.map((defect) => `6: something died: ${defect}`),
    ...appends(cast, truth),
    ...WorkPromises.kept(cast.work, truth),
    ...GatewayPromises.told(cast.world.backend.heard),
    ...[...cast.former, ...cast.readers].flatMap((reader) => ofReader(cast, reader, truth))
  ]
}

/** To be asked when nothing hinders anybody, and time has passed: each open reader has all there is, and whoever asked knows. */
export const caughtUp = (cast: Cast): Broken => {
  const broken: Array<string> = [...GatewayPromises.decided(cast.guests)]
  // What a disk refused of it is told with what the process says next, or at its end.
  if (cast.world.disk.refused === 0) broken.push(...WorkPromises.kept(cast.work, logged(cast)))
  for (const reader of cast.readers) {
    const { ended, next } = reading(reader)
    if (reader.socket.isClosed) continue
    for (const session of reader.from.keys()) {
      const record = recordOf(cast, session)
      if (record === undefined || ended.has(session)) continue
      if (next.get(session) !== record.head + 1) {
        broken.push(`2: a reader of ${session} waits for ${next.get(session)}, the head is ${record.head}`)
      }
    }
  }
  return broken
}

/** To be asked at any time: nobody who reads slowly, or not at all, costs more than the bounds (promise 3). */
export const bounded = ({ world }: Cast): Broken => {
  const { rooms } = world
  if (rooms === undefined) return []
  return Context.get(rooms, ConnectionRegistry)
    .list()
    .filter(({ writesWaiting }) => writesWaiting > 2 * bounds.maxBatches)
    .map(({ writesWaiting }) => `3: ${writesWaiting} writes wait for one socket`)
}

/** Sleepers of an idle server: the alarm of retention, and that of dead letters. */
const sleepersAtRest = 2

/** To be asked when all clients have left, all processes have ended, and time has passed: the server has forgotten them (promise 3). */
export const nothingLeft = ({ world }: Cast): Broken => {
  const { rooms, scheduler } = world
  if (rooms === undefined || scheduler === undefined) return ["6: the server is not up"]
  const { journal } = world.disk.now
  Effect.runSync(Effect.orDie(journal.orphan(world.now)))
  const left = {
    connections: Context.get(rooms, ConnectionRegistry).size(),
    "gateway connections": Context.get(rooms, GatewayConnections).all().length,
    "disconnects under way": Context.get(rooms, DisconnectOutbox).size(),
    // One that could not be forgotten is told to the backend at the next start.
    "tokens in the journal": world.disk.refused > 0 ? 0 : Effect.runSync(Effect.orDie(journal.owed(100))).length,
    actors: Context.get(rooms, SessionRegistry).size(),
    processes: Context.get(rooms, Processes).size(),
    sleepers: Math.max(scheduler.clock.sleeping - sleepersAtRest, 0)
  }
  return Object.entries(left).flatMap(([what, count]) => (count === 0 ? [] : [`3: ${count} ${what} are left`]))
}
