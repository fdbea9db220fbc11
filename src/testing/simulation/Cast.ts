import { createHash } from "node:crypto"
import { Context, Effect, Exit } from "effect"
import { ConnectionRegistry } from "../../connection/ConnectionRegistry.ts"
import * as ReplayPlan from "../../domain/ReplayPlan.ts"
import type { SessionId } from "../../domain/Session.ts"
import * as Cursor from "../../protocol/Cursor.ts"
import * as VectorCursor from "../../protocol/VectorCursor.ts"
import type { Appended } from "../../session/Append.ts"
import { SessionRegistry } from "../../session/SessionRegistry.ts"
import * as TestSocket from "../TestSocket.ts"
import { Guests } from "./Guests.ts"
import type { Reader } from "./Reader.ts"
import { sessions, type Which } from "./Sessions.ts"
import { Work } from "./Work.ts"
import type { World } from "./World.ts"

/** What a producer sent, and what it was told. */
export interface Sent {
  readonly session: SessionId
  readonly key: string | undefined
  readonly data: ReadonlyArray<string>
  /** By number. */
  readonly server: number
  /** `undefined`: it never heard. */
  outcome: Exit.Exit<Appended, { readonly _tag: string }> | undefined
}

/** Bytes at which a socket calls itself full. */
const highWaterMark = 200
const nothing = (): void => {}

/** Everybody outside the server: who sends to it, and who reads. */
export class Cast {
  readonly world: World
  readonly guests: Guests
  readonly work: Work
  readonly readers: Array<Reader> = []
  readonly former: Array<Reader> = []
  readonly sent: Array<Sent> = []
  readonly removed = new Set<SessionId>()
  private texts = 0
  private readonly keyed = new Map<string, ReadonlyArray<string>>()

  constructor(world: World) {
    this.world = world
    this.guests = new Guests(world, highWaterMark)
    this.work = new Work(world)
    world.onDown = () => {
      this.guests.lose()
      for (const reader of [...this.readers]) this.lose(reader)
    }
  }

  /** Sends events, with an idempotency key perhaps: the same key has the same events. Without a server, nobody hears it. */
  append(which: Which, size: number, key: string | undefined): void {
    const { rooms } = this.world
    if (rooms === undefined) return
    const session = sessions[which]
    const known = key === undefined ? undefined : this.keyed.get(`${session} ${key}`)
    const data = known ?? Array.from({ length: size }, () => this.text())
    if (key !== undefined) this.keyed.set(`${session} ${key}`, data)
    const sent: Sent = { session, key, data, server: this.world.number, outcome: undefined }
    this.sent.push(sent)
    const digest = createHash("sha256").update(data.join()).digest("hex")
    const append = {
      events: data.map((text) => ({ name: "message", data: text })),
      receipt: key === undefined ? undefined : { key, digest }
    }
    this.world.fork(Context.get(rooms, SessionRegistry).append(session, append), (exit) => {
      sent.outcome = exit
      this.world.tell(`append to ${session} of ${data.length} from ${data[0]?.split("x")[0]}: ${told(exit)}`)
    })
  }

  remove(which: Which): void {
    const { rooms } = this.world
    if (rooms === undefined) return
    this.removed.add(sessions[which])
    this.world.fork(Effect.ignore(Context.get(rooms, SessionRegistry).remove(sessions[which])))
  }

  open(watched: ReadonlyArray<SessionId>, isMany: boolean, isFromStart: boolean): void {
    this.begin(watched, isMany, () => (isFromStart ? ReplayPlan.start : ReplayPlan.head))
  }

  /** As a browser returns: with the last id that it saw. Without one it begins as it did. */
  return(reader: Reader): void {
    this.lose(reader)
    const { from, only, socket } = reader
    const last = Cursor.parse(socket.lastId)
    const vector = only && last ? new Map<string, Cursor.Cursor>([[only, last]]) : VectorCursor.parse(socket.lastId)
    this.begin(Array.from(from.keys()), only === undefined, (session) => {
      const cursor = vector?.get(session)
      if (cursor !== undefined) return ReplayPlan.at(cursor)
      return from.get(session) === undefined ? ReplayPlan.head : ReplayPlan.start
    })
  }

  /** Its socket is gone. */
  lose(reader: Reader): void {
    if (this.world.state === "down") {
      reader.socket.onClose = nothing
      reader.socket.onDrain = nothing
    }
    reader.socket.close()
    const index = this.readers.indexOf(reader)
    if (index < 0) return
    this.readers.splice(index, 1)
    this.former.push(reader)
  }

  private begin(
    watched: ReadonlyArray<SessionId>,
    isMany: boolean,
    position: (session: SessionId) => ReplayPlan.Position
  ): void {
    const { rooms } = this.world
    if (rooms === undefined) return
    const socket = new TestSocket.TestSocket({ highWaterMark })
    const watches = watched.map((session) => ({ session, position: position(session) }))
    const from = new Map(watches.map(({ position, session }) => [session, seqOf(position)]))
    const retained = new Map(this.guests.acknowledged)
    const only = isMany ? undefined : watched[0]
    this.readers.push({ socket, from, only, isPaused: false, wasPaused: false, retained })
    const form = isMany ? "many" : "single"
    Context.get(rooms, ConnectionRegistry).open(socket, { form, watches, isBadCursor: false })
  }

  private text(): string {
    const text = `${this.texts}${"x".repeat((this.texts * 37) % 90)}`
    this.texts += 1
    return text
  }
}

const seqOf = (position: ReplayPlan.Position): number | undefined => {
  if (position._tag === "Head") return undefined
  return position._tag === "At" ? position.cursor.seq : 0
}

const told = (exit: Exit.Exit<Appended, { readonly _tag: string }>): string =>
  Exit.match(exit, {
    onSuccess: ({ epoch, first, last, repeated }) => `${epoch}.${first}-${last}${repeated ? " again" : ""}`,
    onFailure: (cause) => (cause._tag === "Fail" ? cause.error._tag : cause._tag)
  })
