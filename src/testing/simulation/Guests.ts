import { Context, Effect, Exit } from "effect"
import { ConnectFlow, type Visitor } from "../../gateway/ConnectFlow.ts"
import { Gateway } from "../../gateway/Gateway.ts"
import { Retained } from "../../gateway/Retained.ts"
import { RetainedKey } from "../../domain/RetainedEvent.ts"
import * as TestSocket from "../TestSocket.ts"
import type { Key, Reader } from "./Reader.ts"
import { sessions } from "./Sessions.ts"
import type { World } from "./World.ts"

/** What the backend's yes binds a connection to. */
export const bindings = ["nothing", "request id", "watch"] as const
export type Binding = (typeof bindings)[number]

const answers: Readonly<Record<Binding, unknown>> = {
  nothing: {},
  "request id": { request_id: "r" },
  watch: { request_id: "w", watch: [{ session: sessions.a, from: "start" }] }
}

/** A client of the gateway, from its request on. */
class Guest implements Visitor {
  onLeave = (): void => {}
  readonly socket: TestSocket.TestSocket
  /** Of the server that it came to. */
  readonly server: number
  fate: "waiting" | "open" | "refused" | "broken" = "waiting"
  private readonly opened: (guest: Guest) => void

  constructor(server: number, highWaterMark: number, opened: (guest: Guest) => void) {
    this.server = server
    this.socket = new TestSocket.TestSocket({ highWaterMark })
    this.opened = opened
  }

  accept(): TestSocket.TestSocket {
    this.fate = "open"
    this.opened(this)
    return this.socket
  }

  refuse(): void {
    this.fate = "refused"
  }

  fail(): void {
    this.fate = "broken"
  }

  leave(): void {
    this.socket.close()
    this.onLeave()
  }
}

/** Who comes by the gateway, and what the backend sends there. */
export class Guests {
  readonly guests: Array<Guest> = []
  /** By key: the last value that was acknowledged, and the last that was put. */
  readonly acknowledged = new Map<Key, number>()
  private puts = 0
  private notes = 0
  private readonly world: World
  private readonly highWaterMark: number

  constructor(world: World, highWaterMark: number) {
    this.world = world
    this.highWaterMark = highWaterMark
    world.backend.answer = (url) => answers[bindings.find((binding) => url.endsWith(binding)) ?? "nothing"]
  }

  /** A client asks for a stream. `watches` hears of the reader that it is, if it is bound to a session. */
  come(binding: Binding, watches: (reader: Reader) => void): void {
    const { rooms } = this.world
    if (rooms === undefined) return
    const guest = new Guest(this.world.number, this.highWaterMark, ({ socket }) => {
      if (binding !== "watch") return
      const retained = new Map(this.acknowledged)
      watches({
        socket,
        from: new Map([[sessions.a, 0]]),
        only: undefined,
        isPaused: false,
        wasPaused: false,
        retained
      })
    })
    this.guests.push(guest)
    Context.get(rooms, ConnectFlow).connect(guest, `{"url":"/sse/${binding}","headers":{}}`)
  }

  /** To all, or to whoever has the request id. */
  send(toAll: boolean, close: boolean): void {
    const { rooms } = this.world
    if (rooms === undefined) return
    this.notes += 1
    const event = { name: "note", data: `${this.notes}` }
    const to = toAll ? ({ _tag: "All" } as const) : ({ _tag: "RequestId", requestId: "r" } as const)
    this.world.fork(Effect.ignore(Context.get(rooms, Gateway).send({ to, event, close, service: undefined })))
  }

  put(key: Key): void {
    const { rooms } = this.world
    if (rooms === undefined) return
    this.puts += 1
    const value = this.puts
    const put = Context.get(rooms, Retained).put(RetainedKey.make(key), { name: key, data: `${value}` })
    this.world.fork(put, (exit) => {
      if (Exit.isSuccess(exit)) this.acknowledged.set(key, Math.max(value, this.acknowledged.get(key) ?? 0))
    })
  }

  /** Their server is gone, and their sockets with it. */
  lose(): void {
    for (const guest of this.guests) {
      guest.onLeave = () => {}
      guest.socket.onClose = () => {}
      guest.socket.onDrain = () => {}
      guest.socket.close()
    }
  }
}
