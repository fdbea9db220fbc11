import { Metric, MetricBoundaries } from "effect"

/** Every metric's name in one place. Never tagged by session or connection: their number has no bound. */

/** Actors that died of a defect, by kind. */
const actorFailures = Metric.counter("sluice_actor_failures_total", { incremental: true })
export const sessionActorFailures = Metric.tagged(actorFailures, "actor", "session")
export const connectionActorFailures = Metric.tagged(actorFailures, "actor", "connection")
export const writerFailures = Metric.tagged(actorFailures, "actor", "store_writer")
export const journalWriterFailures = Metric.tagged(actorFailures, "actor", "journal_writer")
export const outboxFailures = Metric.tagged(actorFailures, "actor", "disconnect_outbox")

/** Open streams. */
export const connections = Metric.gauge("sluice_connections")

/** Watches that fell back from live to log mode because their connection's queue was full. */
export const logFallbacks = Metric.counter("sluice_log_fallbacks_total", { incremental: true })

/** Watches that the periodic sync found behind and unmoved. Each hints at a wake-up that was lost. */
export const synced = Metric.counter("sluice_periodic_syncs_total", { incremental: true })

/** Transactions of the store writer, and appends in them. */
export const commits = Metric.counter("sluice_commits_total", { incremental: true })
export const appends = Metric.counter("sluice_appends_total", { incremental: true })

/** Reads and commits that the store refused. */
export const storeErrors = Metric.counter("sluice_store_errors_total", { incremental: true })

/** Streams that a backend accepted, and their ends (names that its dashboards know; contract §5). */
const gatewayConnections = Metric.counter("sse_gateway_connections_total", { incremental: true })
export const gatewayConnects = Metric.tagged(gatewayConnections, "action", "connect")
export const gatewayDisconnects = Metric.tagged(gatewayConnections, "action", "disconnect")

/** Events of the backend, per connection that took it or not. Tagged by `service` and `status`. */
export const eventsSent = Metric.counter("sse_gateway_events_sent_total", { incremental: true })

/** Seconds that a send took. Tagged by `service`. */
export const sendDuration = Metric.histogram(
  "sse_gateway_send_duration_seconds",
  MetricBoundaries.fromIterable([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
)

/** Disconnects that the backend has heard of, tries after the first one, and disconnects that were given up. */
const disconnects = Metric.counter("sluice_disconnects_total", { incremental: true })
export const disconnectsDelivered = Metric.tagged(disconnects, "outcome", "delivered")
export const disconnectsRetried = Metric.tagged(disconnects, "outcome", "retried")
export const disconnectsGivenUp = Metric.tagged(disconnects, "outcome", "given_up")

/** Disconnects under way. More may be owed in the journal when they are as many as they may be. */
export const disconnectsOwed = Metric.gauge("sluice_disconnects_owed")
