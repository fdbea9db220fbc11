import { Context, Deferred, Effect, Layer } from "effect"
import { type CallbackError, Callbacks, type DisconnectCall } from "../../src/callback/Callbacks.ts"
import * as DisconnectOutbox from "../../src/callback/DisconnectOutbox.ts"
import type { ConnectAnswer } from "../../src/domain/ConnectAnswer.ts"
import * as ConnectFlow from "../../src/gateway/ConnectFlow.ts"
import * as GatewayConnections from "../../src/gateway/GatewayConnections.ts"
import * as LocalGateway from "../../src/gateway/LocalGateway.ts"
import { native, type Profile } from "../../src/gateway/Profile.ts"
import * as JournalWriter from "../../src/store/JournalWriter.ts"
import * as MemoryConnectionJournal from "../../src/store/memory/MemoryConnectionJournal.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import * as ConnectionRooms from "../connection/ConnectionRooms.ts"

/** A backend without a network: it answers each connect when the test says so, and hears of every end at once. */
export class ScriptedBackend extends Context.Tag("ScriptedBackend")<
  ScriptedBackend,
  {
    /** Tokens that were asked about, in order. */
    readonly asked: ReadonlyArray<string>
    readonly answer: (token: string, answer: Effect.Effect<ConnectAnswer, CallbackError>) => Effect.Effect<boolean>
    readonly disconnects: ReadonlyArray<DisconnectCall>
  }
>() {}

const backend = Layer.effectContext(
  Effect.sync(() => {
    const asked: Array<string> = []
    const disconnects: Array<DisconnectCall> = []
    const answers = new Map<string, Deferred.Deferred<ConnectAnswer, CallbackError>>()
    const callbacks = Callbacks.of({
      connect: ({ token }) =>
        Effect.flatMap(Deferred.make<ConnectAnswer, CallbackError>(), (answer) => {
          asked.push(token)
          answers.set(token, answer)
          return Deferred.await(answer)
        }),
      disconnect: (call) => Effect.sync(() => void disconnects.push(call)),
      message: () => Effect.die("not of this room")
    })
    const scripted = ScriptedBackend.of({
      asked,
      disconnects,
      answer: (token, answer) => {
        const waiting = answers.get(token)
        return waiting === undefined ? Effect.succeed(false) : Deferred.complete(waiting, answer)
      }
    })
    return Context.make(Callbacks, callbacks).pipe(Context.add(ScriptedBackend, scripted))
  })
)

export interface Options {
  readonly profile?: Profile
  readonly maxConnections?: number
}

/** The rooms up to `gateway`, over a store in memory. Not shared: each test builds its own. */
export const layer = ({ maxConnections = 50_000, profile = native }: Options = {}) =>
  ConnectFlow.layer({ profile, isConfigured: true, maxConnections }).pipe(
    Layer.merge(LocalGateway.layer(profile)),
    Layer.provideMerge(GatewayConnections.layer),
    Layer.provideMerge(DisconnectOutbox.layer()),
    Layer.provide(JournalWriter.layer),
    Layer.provideMerge(Layer.merge(backend, MemoryConnectionJournal.layer)),
    Layer.provideMerge(ConnectionRooms.layer({ connection: { maxConnections } }))
  )

/** A yes without any binding. */
export const yes: ConnectAnswer = { requestId: undefined, watch: [], events: [], expiresIn: undefined }

/** A client that waits for the backend's word. */
export class TestVisitor implements ConnectFlow.Visitor {
  onLeave = (): void => {}
  readonly socket = new TestSocket.TestSocket()
  /** How it was refused. */
  refused: ConnectFlow.ConnectError | "defect" | undefined
  accepts = 0

  accept(): TestSocket.TestSocket {
    this.accepts += 1
    return this.socket
  }

  refuse(error: ConnectFlow.ConnectError): void {
    this.refused = error
  }

  fail(): void {
    this.refused = "defect"
  }

  leave(): void {
    this.socket.close()
    this.onLeave()
  }
}
