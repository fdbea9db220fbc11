/**
 * Every metric in one place. Counters and histograms are Effect's, and count for the process; gauges are read from the rooms
 * of one server when it is asked. Never labelled by session or connection: their number has no bound. The table of
 * docs/deploy.md says the same to operators, and a test compares the two.
 */
import { Metric, MetricBoundaries } from "effect"

/** Whether `/metrics` shows it. What else is in Effect's registry is the embedding program's. */
export const isOwn = (name: string): boolean => name.startsWith("sluice_") || name.startsWith("sse_gateway_")

// Registered when they are made, so that they are shown as 0 before they count: a rate over a series that begins with 1
// misses its first one.
const counter = (name: string, help: string) => Metric.counter(name, { description: help, incremental: true })
const plain = (name: string, help: string) => counter(name, help).register()
const labelled = (metric: Metric.Metric.Counter<number>, label: string, value: string) =>
  Metric.tagged(metric, label, value).register()

/** Alerts compare with 1 s, so it is a bound. */
const seconds = MetricBoundaries.fromIterable([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])

const actorFailures = counter("sluice_actor_failures_total", "Actors that died of a defect, by kind.")
export const sessionActorFailures = labelled(actorFailures, "actor", "session")
export const connectionActorFailures = labelled(actorFailures, "actor", "connection")
export const writerFailures = labelled(actorFailures, "actor", "store_writer")
export const journalWriterFailures = labelled(actorFailures, "actor", "journal_writer")
export const outboxFailures = labelled(actorFailures, "actor", "disconnect_outbox")

export const logFallbacks = plain(
  "sluice_log_fallbacks_total",
  "Watches that fell back from live to log mode because the queue of their connection was full."
)

/** Each hints at a wake-up that was lost. */
export const synced = plain(
  "sluice_periodic_syncs_total",
  "Watches that the periodic sync found behind and unmoved, and made read the log."
)

export const commits = plain("sluice_commits_total", "Transactions of the store writer.")
export const appends = plain("sluice_appends_total", "Appends that the transactions of the store writer settled.")

export const storeErrors = plain("sluice_store_errors_total", "Reads and commits that the store refused.")

// The names that the dashboards of backends know (contract §5).
const gatewayConnections = counter(
  "sse_gateway_connections_total",
  "Streams that the backend accepted and that opened (connect), and their ends (disconnect)."
)
export const gatewayConnects = labelled(gatewayConnections, "action", "connect")
export const gatewayDisconnects = labelled(gatewayConnections, "action", "disconnect")

/** To be tagged by `service` and `status`: see `gateway/SendMetrics.ts`. */
export const eventsSent = counter(
  "sse_gateway_events_sent_total",
  "Events of the backend, one for each connection that took it (success) or could not (error)."
)

/** To be tagged by `service`. */
export const sendDuration = Metric.histogram(
  "sse_gateway_send_duration_seconds",
  seconds,
  "Time that one send or broadcast took, whatever the number of connections."
)

const callbackDuration = Metric.histogram(
  "sluice_callback_duration_seconds",
  seconds,
  "Time from a callback to its outcome, the wait for a free socket included."
)
export const callbackDurations = {
  connect: Metric.tagged(callbackDuration, "action", "connect").register(),
  disconnect: Metric.tagged(callbackDuration, "action", "disconnect").register(),
  message: Metric.tagged(callbackDuration, "action", "message").register()
}

const callbackFailures = counter(
  "sluice_callback_errors_total",
  "Callbacks that the backend did not answer with 2xx, by kind; a connect that it refused is one of them."
)
/** By the tag of a `CallbackError`. */
export const callbackErrors = {
  BackendRefused: labelled(callbackFailures, "kind", "refused"),
  BackendRedirected: labelled(callbackFailures, "kind", "redirected"),
  BackendTimeout: labelled(callbackFailures, "kind", "timeout"),
  BackendUnavailable: labelled(callbackFailures, "kind", "unavailable")
}

const disconnects = counter(
  "sluice_disconnects_total",
  "Disconnects that the backend has heard of, tries after the first one, and disconnects that were given up."
)
export const disconnectsDelivered = labelled(disconnects, "outcome", "delivered")
export const disconnectsRetried = labelled(disconnects, "outcome", "retried")
export const disconnectsGivenUp = labelled(disconnects, "outcome", "given_up")

/** What is read when it is asked for: it cannot drift, and two servers in one process do not mix it. */
export const gauges = {
  connections: { name: "sluice_connections", help: "Open streams, those of the gateway and those under /v1." },
  logModeConnections: {
    name: "sluice_log_mode_connections",
    help: "Open streams that read some session from the store because they are behind it."
  },
  lag: { name: "sluice_lag_events", help: "The most events that a watch of an open stream is behind its session." },
  sessionActors: { name: "sluice_session_actors", help: "Sessions that are awake." },
  appendsWaiting: { name: "sluice_appends_waiting", help: "Appends that wait for their commit, or are in it." },
  writesWaiting: { name: "sluice_writes_waiting", help: "Batches and sends that wait for sockets." },
  connectsWaiting: { name: "sluice_connects_waiting", help: "Connects that wait for the answer of the backend." },
  disconnectsOwed: {
    name: "sluice_disconnects_owed",
    help: "Disconnects that the backend has not heard of yet. With 10,000 more may be owed in the journal."
  }
} as const

export type Readings = { readonly [Gauge in keyof typeof gauges]: number }
