import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { api } from "../domain/Api.ts"
import * as MetricsText from "./MetricsText.ts"
import { Readiness } from "./Readiness.ts"

/** `/healthz`: the process lives. `/readyz`: it should get requests. `/metrics`: how it does (contract §5). */
export const layer = HttpApiBuilder.group(api, "operations", (handlers) =>
  Effect.gen(function* () {
    const readiness = yield* Readiness
    const metricsText = yield* MetricsText.make
    return handlers
      .handle("healthz", () => Effect.succeed({ status: "ok" as const }))
      .handle("readyz", ({ urlParams }) =>
        Effect.map(readiness.check(urlParams.for === "sessions"), ({ configured, more, reasons }) =>
          reasons.length === 0
            ? { status: "ready" as const, configured, ...more }
            : HttpServerResponse.unsafeJson({ status: "not_ready", configured, ...more, reasons }, { status: 503 })
        )
      )
      .handle("metrics", () => Effect.sync(metricsText))
  })
)
