import { Context, Effect, Layer } from "effect"
import { SessionId } from "../../src/domain/Session.ts"
import * as Listening from "../../src/server/Listening.ts"
import * as Server from "../../src/server/Server.ts"
import { Processes } from "../../src/session/worker/Processes.ts"
import * as TestProcess from "../../src/testing/TestProcess.ts"
import * as TestServer from "../../src/testing/TestServer.ts"
import * as Sluice from "./Sluice.ts"

/** A server whose processes a test drives, until its scope closes. */
export const make = (overrides?: TestServer.Overrides) =>
  Effect.map(Layer.build(Server.layer(TestServer.config(overrides))), (context) => {
    const sluice = Sluice.at(Context.get(context, Listening.Listening).url)
    const processes = Context.get(context, Processes)

    /** A process at work for a session, once it is ACTIVE. */
    const attach = (session: string, script?: TestProcess.Script) =>
      Effect.gen(function* () {
        const child = yield* TestProcess.make(script, { code: 0, signal: null })
        yield* processes.attach(SessionId.make(session), child.process)
        yield* sluice.untilSession(session, ({ state }) => state === "ACTIVE")
        return child
      })

    return { ...sluice, attach } as const
  })
