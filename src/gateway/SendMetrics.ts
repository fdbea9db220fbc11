import { Metric } from "effect"
import * as Metrics from "../telemetry/Metrics.ts"

/** Values of the label `service` that are told apart: it comes from outside, and each one is a series for ever. */
const maxServices = 100
/** UTF-16 units of one. Longer ones are counted as `other`. */
const maxLength = 64

interface OfService {
  readonly success: Metric.Metric.Counter<number>
  readonly error: Metric.Metric.Counter<number>
  readonly duration: Metric.Metric.Histogram<number>
}

/** All three are shown as soon as there is one of them: the first error is not missed by a rate. */
const ofService = (service: string): OfService => ({
  success: Metrics.eventsSent.pipe(Metric.tagged("service", service), Metric.tagged("status", "success")).register(),
  error: Metrics.eventsSent.pipe(Metric.tagged("service", service), Metric.tagged("status", "error")).register(),
  duration: Metric.tagged(Metrics.sendDuration, "service", service).register()
})

/**
 * The label's value. One that is empty is to Prometheus no label at all. A NUL ends its reading of all metrics, and halves of
 * surrogate pairs have no UTF-8, where two of them would be one.
 */
const labelOf = (service: string | undefined): string => {
  if (service === undefined || service === "") return "default"
  return service.length > maxLength ? "other" : service.replace(/[\0\p{Surrogate}]/gu, "\ufffd")
}

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
  find("default")
  return {
    /** `seconds` that one send took; it wrote or kept `success` events, and failed to with `error`. */
    count: (service: string | undefined, success: number, error: number, seconds: number): void => {
      const metrics = find(labelOf(service))
      if (success > 0) metrics.success.unsafeUpdate(success, [])
      if (error > 0) metrics.error.unsafeUpdate(error, [])
      metrics.duration.unsafeUpdate(Math.max(seconds, 0), []) // a clock may be set back
    }
  } as const
}
