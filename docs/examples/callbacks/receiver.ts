// A backend for Sluice with Effect:
// CALLBACK_SECRET=... PORT=8000 npx tsx receiver.ts
import { createServer } from "node:http"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Clock, Config, Console, Effect, Layer, Option, Schema } from "effect"
import { CallbackSignature } from "sluice/backend"

const Request = Schema.Struct({
  url: Schema.String,
  headers: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})
const Call = Schema.Union(
  Schema.Struct({ action: Schema.Literal("connect"), token: Schema.String, request: Request }),
  Schema.Struct({ action: Schema.Literal("disconnect"), reason: Schema.String, token: Schema.String, request: Request })
)
const decode = Schema.decode(Schema.parseJson(Call))

const decide = (call: typeof Call.Type) => {
  if (call.action === "disconnect") {
    return Effect.as(Console.log(`${call.token} is gone: ${call.reason}`), HttpServerResponse.empty())
  }
  // Here is the place for your own check of call.request.headers.
  const user = new URL(call.request.url, "http://sluice").searchParams.get("user")
  if (!user) return Effect.succeed(HttpServerResponse.empty({ status: 403 }))
  return HttpServerResponse.json({ request_id: user, events: [{ name: "welcome", data: `hello ${user}` }] })
}

const callback = Effect.gen(function* () {
  const secret = yield* Config.redacted("CALLBACK_SECRET")
  const { headers, text } = yield* HttpServerRequest.HttpServerRequest
  // As it came: JSON that was parsed and written again is not the same.
  const body = yield* text
  const isSigned = CallbackSignature.verify({
    secret,
    timestamp: headers["x-sluice-timestamp"],
    body,
    signature: headers["x-sluice-signature"],
    now: yield* Clock.currentTimeMillis
  })
  if (!isSigned) return HttpServerResponse.empty({ status: 401 })
  return yield* Effect.flatMap(decode(body), decide)
}).pipe(HttpServerRequest.withMaxBodySize(Option.some(1_000_000)))

const server = HttpRouter.empty.pipe(
  HttpRouter.post("/callback", callback),
  HttpServer.serve(),
  HttpServer.withLogAddress,
  Layer.provide(
    NodeHttpServer.layerConfig(createServer, {
      port: Config.withDefault(Config.integer("PORT"), 8000),
      host: Config.succeed("127.0.0.1")
    })
  )
)

NodeRuntime.runMain(Layer.launch(server))
