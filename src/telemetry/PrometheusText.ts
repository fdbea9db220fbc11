/**
 * The text exposition format of Prometheus, version 0.0.4, made from a snapshot of Effect's metric registry.
 *
 * Our own, because the packages that write it own the metrics, too: `prom-client` has a registry of its own, and the
 * serializer of `@opentelemetry/exporter-prometheus` takes OpenTelemetry's data model, from which five packages would have to
 * stand between, and adds series and labels of its own, where backends rely on exactly theirs.
 */
import { type MetricPair, MetricState, Option } from "effect"

/** A value that was read for this text. */
export interface Gauge {
  readonly name: string
  readonly help: string
  readonly value: number
}

interface Family {
  readonly type: "counter" | "gauge" | "histogram"
  readonly help: string
  /** Lines by labels: one series for each. */
  readonly series: Map<string, string>
}

const escaped: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", '"': '\\"' }
const escapeHelp = (text: string): string => text.replace(/[\\\n]/g, (sign) => escaped[sign] ?? sign)
const escapeLabel = (text: string): string => text.replace(/[\\\n"]/g, (sign) => escaped[sign] ?? sign)

const formatNumber = (value: number | bigint): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)

const label = (name: string, value: string): string => `${name}="${escapeLabel(value)}"`
const line = (name: string, labels: ReadonlyArray<string>, value: number | bigint): string =>
  `${name}${labels.length === 0 ? "" : `{${labels.join(",")}}`} ${formatNumber(value)}\n`

/** Effect's buckets are cumulative, and the last one's bound is infinite. */
const histogram = (name: string, labels: ReadonlyArray<string>, state: MetricState.MetricState.Histogram): string => {
  const buckets = state.buckets
    .filter(([bound]) => bound !== Number.POSITIVE_INFINITY)
    .concat([[Number.POSITIVE_INFINITY, state.count]])
    .map(([bound, count]) => line(`${name}_bucket`, [...labels, label("le", formatNumber(bound))], count))
  return `${buckets.join("")}${line(`${name}_sum`, labels, state.sum)}${line(`${name}_count`, labels, state.count)}`
}

/**
 * Counters and histograms of `snapshot`, whose names and labels must be Prometheus's, and `gauges`; by name, then by labels.
 * Gauges of the snapshot are left out: they are the process's, and what is shown is one server's.
 */
export const render = (
  snapshot: ReadonlyArray<MetricPair.MetricPair.Untyped>,
  gauges: ReadonlyArray<Gauge>
): string => {
  const families = new Map<string, Family>()
  const family = (name: string, type: Family["type"], help: string): Family => {
    const found = families.get(name) ?? { type, help, series: new Map<string, string>() }
    families.set(name, found)
    return found
  }
  for (const { metricKey, metricState: state } of snapshot) {
    const { name, tags } = metricKey
    const help = Option.getOrElse(metricKey.description, () => "")
    const labels = tags.map(({ key, value }) => label(key, value))
    if (MetricState.isCounterState(state)) {
      family(name, "counter", help).series.set(labels.join(), line(name, labels, state.count))
    } else if (MetricState.isHistogramState(state)) {
      family(name, "histogram", help).series.set(labels.join(), histogram(name, labels, state))
    }
  }
  for (const { help, name, value } of gauges) family(name, "gauge", help).series.set("", line(name, [], value))
  return Array.from(families)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, { help, series, type }]) => {
      const lines = Array.from(series)
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([, text]) => text)
      return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`
    })
    .join("")
}
