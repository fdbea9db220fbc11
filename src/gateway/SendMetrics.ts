import { Metric } from "effect"
import * as Metrics from "../telemetry/Metrics.ts"

/** Values of the label `service` that are told apart: it comes from outside, and each one is a series for ever. */
const maxServices = 100

interface OfService {
  readonly success: Metric.Metric.Counter<number>
  readonly error: Metric.Metric.Counter<number>
  readonly duration: Metric.Metric.Histogram<number>
}

const ofService = (service: string): OfService => ({
  success: Metrics.eventsSent.pipe(Metric.tagged("service", service), Metric.tagged("status", "success")),
  error: Metrics.eventsSent.pipe(Metric.tagged("service", service), Metric.tagged("status", "error")),
  duration: Metric.tagged(Metrics.sendDuration, "service", service)
})

/** Counts events of the backend by service. */
export const make = () => {
  const services = new Map<string, OfService>()
  const find = (service: string): OfService => {
    const known = services.get(service)
    if (known !== undefined) return known
    if (services.size >= maxServices && service !== "other") return find("other")
    const made = ofService(service)
    services.set(service, made)
    return made
  }
  return {
    /** `seconds` that one send took; it wrote or kept `success` events, and failed to with `error`. */
    count: (service: string | undefined, success: number, error: number, seconds: number): void => {
      const metrics = find(service ?? "default")
      if (success > 0) metrics.success.unsafeUpdate(success, [])
      if (error > 0) metrics.error.unsafeUpdate(error, [])
      metrics.duration.unsafeUpdate(seconds, [])
    }
  } as const
}
