import * as assert from "node:assert/strict"
import { layer } from "@effect/vitest"
import { Effect } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Requests from "../scenarios/Requests.ts"
import * as Documented from "./Documented.ts"
import * as Site from "./Site.ts"

const key = "a-key-of-the-operator"

const withKey = (file: string) => ({
  configuration: Documented.enabled(Documented.read(file), '"Bearer KEY"'),
  substitutions: [["Bearer KEY", `Bearer ${key}`]] as const
})

const options = {
  settings: { SLUICE_API_KEY: key },
  nginx: withKey("nginx.conf"),
  haproxy: withKey("haproxy.cfg")
}

layer(Site.layer(options), { excludeTestServices: true })("with the optional lines for a key", (it) => {
  for (const kind of ["nginx", "haproxy"] as const) {
    it.scoped(`${kind} adds it to what browsers read under /v1, and to nothing else`, () =>
      Effect.gen(function* () {
        const { backend, proxies, server } = yield* Site.Site
        const { url } = proxies[kind]
        const headers = { Authorization: `Bearer ${key}` }
        assert.equal((yield* Requests.append(server, "s", { data: "kept" }, { headers })).status, 201)
        assert.equal((yield* Requests.send(`${server.url}/v1/sessions/s/events`)).status, 401)

        const client = yield* StreamClient.open(`${url}/v1/sessions/s/stream?from=start`)
        yield* client.find(({ data }) => data === "kept")
        const several = yield* StreamClient.open(`${url}/v1/stream?session=s`)
        yield* several.named("sluice.hello")
        assert.equal((yield* Requests.history(proxies[kind], "s")).events.length >= 1, true)
        assert.equal((yield* Requests.send(`${url}/v1/connections`)).status, 404)

        // The backend is told what the browser sent, not what the proxy knows.
        for (const own of [{}, { Authorization: "Bearer of the user" }]) {
          const path = `/sse/${kind}/${Object.keys(own).length}`
          yield* StreamClient.open(`${url}${path}`, { headers: own })
          const connect = backend.calls().find(({ request }) => request.url === path)
          assert.equal(connect?.request.headers["authorization"], Object.values(own)[0])
        }
      })
    )
  }
})
