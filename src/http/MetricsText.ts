import { Effect, Metric, Record } from "effect"
import { DisconnectOutbox } from "../callback/DisconnectOutbox.ts"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import { GatewayConnections } from "../gateway/GatewayConnections.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import { StoreWriter } from "../store/StoreWriter.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import * as PrometheusText from "../telemetry/PrometheusText.ts"

/**
 * What `/metrics` says (contract §5): the counters of the process, and gauges read from the rooms of this server, in time
 * that grows with its open connections and what they watch.
 */
export const make = Effect.gen(function* () {
  const connections = yield* ConnectionRegistry
  const gateway = yield* GatewayConnections
  const outbox = yield* DisconnectOutbox
  const sessions = yield* SessionRegistry
  const writer = yield* StoreWriter

  const read = (): Metrics.Readings => {
    const open = connections.list()
    let logModeConnections = 0
    let writesWaiting = 0
    let lag = 0
    for (const connection of open) {
      if (connection.isReadingLog) logModeConnections += 1
      writesWaiting += connection.writesWaiting
      lag = Math.max(lag, connection.lag)
    }
    return {
      connections: open.length,
      logModeConnections,
      lag,
      sessionActors: sessions.size(),
      appendsWaiting: writer.waiting(),
      writesWaiting,
      connectsWaiting: gateway.arriving(),
      disconnectsOwed: outbox.size()
    }
  }

  return (): string => {
    const readings = read()
    const gauges = Record.map(Metrics.gauges, ({ help, name }, gauge) => ({ name, help, value: readings[gauge] }))
    const own = Metric.unsafeSnapshot().filter(({ metricKey }) => Metrics.isOwn(metricKey.name))
    return PrometheusText.render(own, Record.values(gauges))
  }
})
