import { Context, Effect, Layer } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as Proxy from "./Proxy.ts"

/** A server, its backend, and each proxy in front of it, as operators run them. */
export class Site extends Context.Tag("test/proxy/Site")<
  Site,
  {
    readonly server: ServerProcess.ServerProcess
    readonly backend: TestBackend.TestBackend
    readonly proxies: Readonly<Record<Proxy.Kind, Proxy.Proxy>>
  }
>() {}

/** An hour: whatever comes is not carried by a heartbeat, and whatever ends is not noticed by one. */
const silent = { HEARTBEAT_INTERVAL_SECONDS: "3600" }

export interface Options {
  readonly settings?: Readonly<Record<string, string>>
  readonly nginx?: Omit<Proxy.Options, "target">
  readonly haproxy?: Omit<Proxy.Options, "target">
}

export const make = ({ haproxy, nginx, settings = silent }: Options = {}) =>
  Effect.gen(function* () {
    const backend = yield* TestBackend.make
    const server = yield* ServerProcess.started({
      CALLBACK_URL: backend.url,
      SLUICE_REPLAY_CAP: "1000000",
      ...settings
    })
    const target = server.url
    const proxies = {
      nginx: yield* Proxy.nginx({ target, ...nginx }),
      haproxy: yield* Proxy.haproxy({ target, ...haproxy })
    }
    return { server, backend, proxies } as const
  })

/** One for all tests of a file. */
export const layer = (options?: Options) => Layer.scoped(Site, make(options))
