import * as assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as Http2 from "node:http2"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Requests from "../scenarios/Requests.ts"
import * as Documented from "./Documented.ts"
import * as Site from "./Site.ts"

/** A certificate of a day, with its key; both in one file, as HAProxy wants them, too. */
const certificate = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "sluice-tls-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
).pipe(
  Effect.map((folder) => {
    const [key, chain, both] = [join(folder, "key.pem"), join(folder, "chain.pem"), join(folder, "both.pem")]
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    const out = ["-days", "1", "-subj", "/CN=localhost", "-keyout", key, "-out", chain]
    const made = spawnSync("openssl", ["req", "-x509", ...curve, ...out])
    assert.equal(made.status, 0, `openssl is needed: ${made.error?.message ?? made.stderr.toString()}`)
    writeFileSync(both, readFileSync(chain, "utf8") + readFileSync(key, "utf8"))
    return { key, chain, both }
  })
)

/** The documented configurations with their optional lines for TLS. */
const withTls = Effect.gen(function* () {
  const { both, chain, key } = yield* certificate
  const nginx = ["listen 443", "ssl_certificate ", "ssl_certificate_key "].reduce(
    Documented.enabled,
    Documented.read("nginx.conf")
  )
  const haproxy = Documented.enabled(Documented.read("haproxy.cfg"), "bind :443")
  return yield* Site.make({
    nginx: {
      configuration: nginx,
      substitutions: [
        ["/etc/ssl/sluice/fullchain.pem", chain],
        ["/etc/ssl/sluice/privkey.pem", key]
      ]
    },
    haproxy: { configuration: haproxy, substitutions: [["/etc/haproxy/sluice.pem", both]] }
  })
})

/** One connection, over which all streams go. */
const connect = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => Http2.connect(url, { rejectUnauthorized: false }).on("error", () => {})),
    (session) => Effect.sync(() => session.destroy())
  )

/** A stream whose first text is there. `hears` is done when all of its text holds this. */
const open = (session: Http2.ClientHttp2Session, path: string) =>
  Effect.gen(function* () {
    const stream = session.request({ ":path": path, accept: "text/event-stream" })
    let status: unknown
    let text = ""
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part
    })
    stream.on("error", () => {}) // its end follows
    stream.once("response", (headers) => {
      status = headers[":status"]
    })
    const hears = (part: string) =>
      Effect.async<void>((resume) => {
        const attempt = () => {
          if (text.includes(part)) resume(Effect.void)
          else if (stream.closed) resume(Effect.dieMessage(`it ended without ${part}: ${status} ${text}`))
        }
        stream.on("data", attempt).once("close", attempt)
        attempt()
      })
    yield* hears("sluice.hello")
    assert.equal(status, 200)
    return { hears, leave: Effect.sync(() => stream.close(Http2.constants.NGHTTP2_CANCEL)) } as const
  })

layer(Layer.scoped(Site.Site, withTls), { excludeTestServices: true })("with the optional lines for TLS", (it) => {
  for (const kind of ["nginx", "haproxy"] as const) {
    it.scoped(`${kind} carries 50 streams in one connection, and tells Sluice which of them was left`, () =>
      Effect.gen(function* () {
        const { proxies, server } = yield* Site.Site
        const stays = `stays-${kind}`
        const left = `left-${kind}`
        for (const session of [stays, left]) yield* Requests.add(server, session, { data: 1 })
        const session = yield* connect(proxies[kind].secureUrl)
        const staying = yield* Effect.replicateEffect(open(session, `/v1/sessions/${stays}/stream`), 49)
        assert.equal(session.alpnProtocol, "h2")
        const leaving = yield* open(session, `/v1/sessions/${left}/stream`)
        assert.equal(yield* Requests.watchers(server, left), 1)
        yield* leaving.leave
        yield* Effect.repeat(Requests.watchers(server, left), { until: (count) => count === 0 })
        assert.equal(yield* Requests.watchers(server, stays), 49)
        yield* Requests.add(server, stays, { data: "to all of them" })
        for (const stream of staying) yield* stream.hears("to all of them")
      })
    )
  }
})
