import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Deferred, Effect, FiberId, Scope } from "effect"
import * as Documented from "./Documented.ts"
import * as Program from "./Program.ts"

/** A real proxy with a documented configuration, which may be ended and started any number of times at the same place. */
export interface Proxy {
  readonly url: string
  /** The same by TLS. Nothing listens there unless the configuration has it. */
  readonly secureUrl: string
  /** Done when it accepts connections. */
  readonly start: Effect.Effect<void>
  /** Done when one runs: at once, or as soon as it was started again. */
  readonly up: Effect.Effect<void>
  /** `kill -9` of all its processes, at once. */
  readonly kill9: Effect.Effect<void>
}

export type Kind = "nginx" | "haproxy"

export interface Options {
  /** Where Sluice is. */
  readonly target: string
  /** The configuration, unless it is the one of `docs/deploy` as it stands. */
  readonly configuration?: string
  readonly substitutions?: ReadonlyArray<Documented.Substitution>
}

const isFree = (port: number) =>
  Effect.async<boolean>((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/** Below the ports that systems give to clients, of which one could sit there while the proxy is down. */
const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = 10_000 + Math.floor(Math.random() * 20_000)
  return Effect.flatMap(isFree(port), (free) => (free ? Effect.succeed(port) : freePort))
})

const accepts = (port: number) =>
  Effect.async<boolean>((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => socket.destroy())
  })

/** Reachable by workers that gave their rights up. */
const folder = Effect.acquireRelease(
  Effect.sync(() => {
    const path = mkdtempSync(join(tmpdir(), "sluice-proxy-"))
    chmodSync(path, 0o755)
    return path
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const make = (run: Effect.Effect<Program.Program, never, Scope.Scope>, port: number, securePort: number) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    let up = Deferred.unsafeMake<void>(FiberId.none)
    let running: Program.Program | undefined
    const proxy: Proxy = {
      url: `http://127.0.0.1:${port}`,
      secureUrl: `https://127.0.0.1:${securePort}`,
      start: Effect.gen(function* () {
        const program = yield* Scope.extend(run, scope)
        running = program
        const listening = Effect.repeat(accepts(port), { until: (isListening) => isListening })
        const failed = Effect.flatMap(program.ended, () => Effect.dieMessage(program.said()))
        yield* Effect.raceFirst(listening, failed)
        yield* Deferred.succeed(up, undefined)
      }),
      up: Effect.suspend(() => Deferred.await(up)),
      kill9: Effect.suspend(() => {
        up = Deferred.unsafeMake<void>(FiberId.none)
        return running?.kill9 ?? Effect.void
      })
    }
    yield* proxy.start
    return proxy
  })

const authority = (url: string): string => new URL(url).host

/** What Debian's own nginx.conf says around a file of conf.d, without what only root may do. */
const nginxMain = (site: string) => `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include ${site};
}
`

/** nginx with a file of conf.d. */
export const nginx = ({ configuration = Documented.read("nginx.conf"), substitutions = [], target }: Options) =>
  Effect.gen(function* () {
    const cwd = yield* folder
    const port = yield* freePort
    const securePort = yield* freePort
    const site = Documented.substituted(configuration, [
      ["127.0.0.1:3000", authority(target)],
      ["listen 80;", `listen 127.0.0.1:${port};`],
      ["listen 443", `listen 127.0.0.1:${securePort}`],
      ...substitutions
    ])
    writeFileSync(join(cwd, "site.conf"), site)
    writeFileSync(join(cwd, "nginx.conf"), nginxMain(join(cwd, "site.conf")))
    const args = ["-e", "stderr", "-p", cwd, "-c", join(cwd, "nginx.conf")]
    return yield* make(Program.make("nginx", args, cwd), port, securePort)
  })

/** HAProxy with the whole of its haproxy.cfg, but for what only root may do and what there is not in a container. */
export const haproxy = ({ configuration = Documented.read("haproxy.cfg"), substitutions = [], target }: Options) =>
  Effect.gen(function* () {
    const cwd = yield* folder
    const port = yield* freePort
    const securePort = yield* freePort
    const text = Documented.substituted(configuration, [
      ["127.0.0.1:3000", authority(target)],
      ["bind :80\n", `bind 127.0.0.1:${port}\n`],
      ["bind :443", `bind 127.0.0.1:${securePort}`],
      ["user haproxy\n", "\n"],
      ["group haproxy\n", "\n"],
      ["chroot /var/lib/haproxy\n", "\n"],
      ["log /dev/log local0\n", "log stderr format raw local0 err\n"],
      ["maxconn 20000\n", "maxconn 500\n"],
      ...substitutions
    ])
    writeFileSync(join(cwd, "haproxy.cfg"), text)
    return yield* make(Program.make("haproxy", ["-db", "-f", "haproxy.cfg"], cwd), port, securePort)
  })
