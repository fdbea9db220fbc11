import { Cause, Context, Duration, Effect, Exit, FiberRef, HashSet, Layer, Logger, Scope } from "effect"
import { Transport } from "../../callback/Transport.ts"
import type { DisconnectOutbox } from "../../callback/DisconnectOutbox.ts"
import type { ConnectionRegistry } from "../../connection/ConnectionRegistry.ts"
import type { ConnectFlow } from "../../gateway/ConnectFlow.ts"
import type { Gateway } from "../../gateway/Gateway.ts"
import type { GatewayConnections } from "../../gateway/GatewayConnections.ts"
import type { Retained } from "../../gateway/Retained.ts"
import * as Readiness from "../../http/Readiness.ts"
import * as Farewell from "../../server/Farewell.ts"
import * as Server from "../../server/Server.ts"
import * as ServerConfig from "../../server/ServerConfig.ts"
import type { Messages } from "../../session/inbox/Messages.ts"
import type { SessionRegistry } from "../../session/SessionRegistry.ts"
import type { Processes } from "../../session/worker/Processes.ts"
import type { ConnectionJournal } from "../../store/ConnectionJournal.ts"
import type { EventStore } from "../../store/EventStore.ts"
import type { RetainedStore } from "../../store/RetainedStore.ts"
import { Chance } from "./Chance.ts"
import { began } from "./Run.ts"
import { SeededScheduler } from "./SeededScheduler.ts"
import { SimulatedBackend } from "./SimulatedBackend.ts"
import { SimulatedDisk } from "./SimulatedDisk.ts"

/** The rooms of a server that is up. */
export type Rooms = Context.Context<
  | ConnectFlow
  | ConnectionRegistry
  | DisconnectOutbox
  | Gateway
  | GatewayConnections
  | Messages
  | Processes
  | Readiness.Readiness
  | Retained
  | SessionRegistry
>

/** What the server has of the outside for its data. */
export type Stores = Context.Context<EventStore | ConnectionJournal | RetainedStore>

export interface Options {
  readonly retainEvents?: number | undefined
  readonly retainFor?: Duration.Duration | undefined
  /** Stands before the stores of each server: where a test plants a bug. */
  readonly stores?: (stores: Stores, scheduler: SeededScheduler) => Stores
}

/** Small bounds, so that queues overflow and sockets fill. */
export const bounds = { maxBatches: 3, maxBytes: 2000, replayCap: 8, callbackTimeout: 5000, idle: 60_000 } as const

const config = ({ retainEvents, retainFor }: Options): ServerConfig.ServerConfig => {
  const { inMemory } = ServerConfig
  const { callbackTimeout, maxBatches, maxBytes, replayCap } = bounds
  return {
    ...inMemory,
    session: { ...inMemory.session, retainEvents, retainFor },
    connection: { ...inMemory.connection, maxBatches, maxBytes, replayCap },
    callback: {
      ...inMemory.callback,
      url: new URL("http://backend.test/callback"),
      timeout: Duration.millis(callbackTimeout)
    }
  }
}

/** One process of the server, from its start to its stop or its crash. */
interface Running {
  readonly scheduler: SeededScheduler
  readonly scope: Scope.CloseableScope
  /** `undefined` while it starts. */
  rooms: Rooms | undefined
  state: "starting" | "up" | "stopping" | "down"
}

/** How long a stop takes at most. */
const drain = Duration.seconds(10)

/**
 * A server over a disk and before a backend that outlive it, with time and chance of one seed. All rooms below HTTP are the real ones.
 */
export class World {
  readonly chance: Chance
  readonly disk: SimulatedDisk
  readonly backend = new SimulatedBackend()
  /** Lines of what happened; kept only when asked for. */
  readonly trace: Array<string> = []
  /** Of what something in the server died, a line each as it was logged. */
  readonly defects: Array<string> = []
  /** Of the present server: 1, 2, 3 … */
  number = 0
  isTraced = false
  /** Told when a server has died, or has stopped. */
  onDown: () => void = () => {}
  private readonly options: Options
  private server: Running | undefined
  private past = began
  private formerSteps = 0

  constructor(seed: number, options: Options = {}) {
    this.chance = new Chance(seed)
    this.options = options
    this.disk = new SimulatedDisk(this.chance)
    this.disk.onChange = (line) => this.tell(line)
    this.backend.onChange = (line) => this.tell(line)
  }

  /** Of the server that is up, if one is. */
  get rooms(): Rooms | undefined {
    return this.server?.state === "up" ? this.server.rooms : undefined
  }

  get state(): Running["state"] {
    return this.server?.state ?? "down"
  }

  /** Epoch milliseconds. */
  get now(): number {
    return this.server?.scheduler.clock.now ?? this.past
  }

  get scheduler(): SeededScheduler | undefined {
    return this.server?.scheduler
  }

  /** Steps so far, of all servers. */
  get ran(): number {
    return this.formerSteps + (this.server?.scheduler.steps ?? 0)
  }

  tell(line: string): void {
    if (this.isTraced) this.trace.push(`${this.now - began} ${line}`)
  }

  /** Begins a process of the server, unless one is there. It is up some steps later. */
  start(): void {
    if (this.server !== undefined) return
    const scheduler = new SeededScheduler(this.chance, this.past)
    const scope = Effect.runSync(Scope.make())
    const server: Running = { scheduler, scope, rooms: undefined, state: "starting" }
    this.server = server
    this.number += 1
    this.tell(`server ${this.number} starts`)
    scheduler.fork(this.inside(Layer.buildWithScope(this.layer(server), scope))).addObserver((exit) => {
      if (this.server !== server) return
      if (Exit.isSuccess(exit)) {
        server.rooms = exit.value
        server.state = "up"
        this.tell("server is up")
      } else {
        this.defects.push(`the server does not start: ${exit.cause}`)
        this.down()
      }
    })
  }

  /** Begins an effect in the server's process. `done` does not hear when that dies. */
  fork<A, E>(effect: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void = () => {}): void {
    const { server } = this
    if (server !== undefined) server.scheduler.fork(this.inside(effect)).addObserver(done)
  }

  /** Its process is gone, in the middle of everything; of what was not synced the share `kept` stays. */
  crash(kept: number): void {
    if (this.server === undefined) return
    this.tell("server crashes")
    this.down()
    this.disk.crash(kept)
  }

  /** The graceful stop begins, as SIGTERM has it. */
  stop(): void {
    const { server } = this
    if (server === undefined || server.state !== "up" || server.rooms === undefined) return
    server.state = "stopping"
    this.tell("server stops")
    const farewell = Farewell.say(Duration.times(drain, 0.5)).pipe(
      Effect.timeoutOption(drain),
      Effect.zipRight(Scope.close(server.scope, Exit.void)),
      Effect.provide(server.rooms)
    )
    this.fork(farewell, () => {
      if (this.server !== server) return
      this.tell("server has stopped")
      this.down()
      this.disk.crash(1)
    })
  }

  /** Runs at most so many steps, without moving time. False: nothing could happen any more. */
  steps(count: number): boolean {
    for (let done = 0; done < count; done++) if (this.server?.scheduler.step() !== true) return false
    return true
  }

  /** Lets so many milliseconds pass, and all that happens in them. */
  pass(millis: number): void {
    const until = this.now + millis
    const { server } = this
    server?.scheduler.run(() => this.server !== server, until)
    if (this.server === undefined) this.past = until
    else if (this.server === server) server?.scheduler.moveTo(until)
    else this.pass(until - this.now)
  }

  private down(): void {
    const { server } = this
    if (server === undefined) return
    server.state = "down"
    this.past = server.scheduler.clock.now
    this.formerSteps += server.scheduler.steps
    server.scheduler.kill()
    this.server = undefined
    this.onDown()
  }

  private layer(server: Running) {
    const { scheduler } = server
    const settings = config(this.options)
    const stores = this.disk.ports(scheduler)
    const { number } = this
    const transport = Context.make(Transport, {
      open: (_origin: string, { reached }: { readonly reached: (isReachable: boolean) => void }) =>
        this.backend.carrier(scheduler, number, reached)
    })
    return Readiness.layer({ isConfigured: true, ...settings.gateway }).pipe(
      Layer.provideMerge(Server.rooms(settings)),
      Layer.provide(Layer.succeedContext(this.options.stores?.(stores, scheduler) ?? stores)),
      Layer.provide(Layer.succeedContext(transport))
    )
  }

  private inside<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.locally(effect, FiberRef.currentLoggers, this.loggers)
  }

  private readonly loggers = HashSet.make<[Logger.Logger<unknown, void>]>(
    Logger.make(({ cause, logLevel, message }) => {
      const line = `${logLevel.label}: ${Array.isArray(message) ? message.join(" ") : String(message)} ${cause._tag === "Empty" ? "" : cause}`
      this.tell(line)
      if (Cause.isDie(cause)) this.defects.push(line)
    })
  )
}
