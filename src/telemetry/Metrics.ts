import { Metric } from "effect"

/** Every metric's name in one place. Never tagged by session or connection: their number has no bound. */

/** Actors that died of a defect, by kind. */
const actorFailures = Metric.counter("sluice_actor_failures_total", { incremental: true })
export const sessionActorFailures = Metric.tagged(actorFailures, "actor", "session")
export const connectionActorFailures = Metric.tagged(actorFailures, "actor", "connection")
export const writerFailures = Metric.tagged(actorFailures, "actor", "store_writer")

/** Open streams. */
export const connections = Metric.gauge("sluice_connections")

/** Watches that fell back from live to log mode because their connection's queue was full. */
export const logFallbacks = Metric.counter("sluice_log_fallbacks_total", { incremental: true })

/** Transactions of the store writer, and appends in them. */
export const commits = Metric.counter("sluice_commits_total", { incremental: true })
export const appends = Metric.counter("sluice_appends_total", { incremental: true })

/** Reads and commits that the store refused. */
export const storeErrors = Metric.counter("sluice_store_errors_total", { incremental: true })
