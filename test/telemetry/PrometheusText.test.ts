import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { FastCheck as fc, MetricBoundaries, MetricHook, MetricKey, MetricLabel, MetricPair, MetricState } from "effect"
import * as PrometheusText from "../../src/telemetry/PrometheusText.ts"
import { anyText } from "../protocol/Arbitraries.ts"
import * as Exposition from "./Exposition.ts"

/** What names and help texts must not break: quotes, line ends, braces, signs of the format itself. */
const nasty = fc.oneof(
  anyText,
  fc.constantFrom("", "\\", '"', "\n", '\\n"\n', '",x="', "} 1\n# TYPE a gauge", "a,b=c{}")
)
const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/)
const labels = fc.uniqueArray(fc.tuple(name, nasty), { maxLength: 3, selector: ([key]) => key })
const amount = fc.oneof(fc.nat(), fc.double({ min: 0, noNaN: true }))

/** A family whose series have the same label names, as Prometheus wants it, and different values. */
const family = <A>(value: fc.Arbitrary<A>) =>
  fc.record({
    help: nasty,
    series: fc.uniqueArray(fc.tuple(labels, value), {
      minLength: 1,
      maxLength: 4,
      selector: ([labels]) => JSON.stringify(labels.map(([key, text]) => [key, text]).sort())
    })
  })

const snapshot = fc.uniqueArray(
  fc.tuple(
    name,
    fc.oneof(
      fc.record({ type: fc.constant("counter" as const), of: family(amount) }),
      fc.record({
        type: fc.constant("histogram" as const),
        of: family(
          fc.array(fc.oneof(fc.double({ min: 0, max: 100, noNaN: true }), fc.constantFrom(0, 0.5, 1)), {
            maxLength: 20
          })
        )
      })
    )
  ),
  // `a` and `a_sum` in one text would be no mistake of the writer's.
  { maxLength: 6, selector: ([name]) => name.replace(/(?:_bucket|_sum|_count)+$/, "") }
)

const bounds = [0.5, 1, 10]
const tagged = (labels: ReadonlyArray<readonly [string, string]>) =>
  labels.map(([key, value]) => MetricLabel.make(key, value))

describe("PrometheusText", () => {
  it.prop(
    "says what the snapshot has: names, help, labels and values, whatever stands in them",
    { snapshot },
    ({ snapshot }) => {
      const pairs = snapshot.flatMap(([name, { of, type }]) =>
        type === "counter"
          ? of.series.map(([labels, count]) =>
              MetricPair.unsafeMake(
                MetricKey.taggedWithLabels(MetricKey.counter(name, { description: of.help }), tagged(labels)),
                MetricState.counter(count)
              )
            )
          : of.series.map(([labels, observed]) => {
              const key = MetricKey.histogram(name, MetricBoundaries.fromIterable(bounds), of.help)
              const hook = MetricHook.histogram(key)
              for (const value of observed) hook.update(value)
              return MetricPair.unsafeMake(MetricKey.taggedWithLabels(key, tagged(labels)), hook.get())
            })
      )
      const read = Exposition.parse(PrometheusText.render(pairs, []))
      assert.deepEqual(
        read.map(({ name }) => name),
        snapshot.map(([name]) => name).sort()
      )
      for (const [name, { of, type }] of snapshot) {
        const shown = read.find((family) => family.name === name) ?? assert.fail(name)
        assert.deepEqual([shown.type, shown.help], [type, of.help])
        const values = (suffix: string) =>
          new Map(
            shown.samples
              .filter((sample) => sample.name === name + suffix)
              .map(({ labels, value }) => [JSON.stringify([...labels].sort()), value])
          )
        if (type === "counter") {
          assert.deepEqual(
            values(""),
            new Map(of.series.map(([labels, count]) => [JSON.stringify([...labels].sort()), count]))
          )
          continue
        }
        for (const [labels, observed] of of.series) {
          const at = JSON.stringify([...labels].sort())
          assert.equal(values("_count").get(at), observed.length)
          assert.equal(
            values("_sum").get(at),
            observed.reduce((sum, value) => sum + value, 0)
          )
          for (const bound of bounds) {
            const le = JSON.stringify([...labels, ["le", String(bound)]].sort())
            assert.equal(values("_bucket").get(le), observed.filter((value) => value <= bound).length, `${name} ${le}`)
          }
        }
      }
    }
  )

  it("is, byte for byte, what the format's description shows", () => {
    const key = MetricKey.histogram("a_seconds", MetricBoundaries.fromIterable([0.1, 1]), "How long.")
    const hook = MetricHook.histogram(MetricKey.tagged(key, "service", 'x"\\\ny'))
    for (const value of [0.05, 0.5, 3]) hook.update(value)
    const text = PrometheusText.render(
      [
        MetricPair.unsafeMake(MetricKey.tagged(key, "service", 'x"\\\ny'), hook.get()),
        MetricPair.unsafeMake(
          MetricKey.counter("b_total", { description: 'Two\nlines, \\ and ".' }),
          MetricState.counter(7)
        ),
        MetricPair.unsafeMake(MetricKey.gauge("of_the_process"), MetricState.gauge(1))
      ],
      [{ name: "a", help: "Read now.", value: Number.POSITIVE_INFINITY }]
    )
    assert.equal(
      text,
      `# HELP a Read now.
# TYPE a gauge
a +Inf
# HELP a_seconds How long.
# TYPE a_seconds histogram
a_seconds_bucket{service="x\\"\\\\\\ny",le="0.1"} 1
a_seconds_bucket{service="x\\"\\\\\\ny",le="1"} 2
a_seconds_bucket{service="x\\"\\\\\\ny",le="+Inf"} 3
a_seconds_sum{service="x\\"\\\\\\ny"} 3.55
a_seconds_count{service="x\\"\\\\\\ny"} 3
# HELP b_total Two\\nlines, \\\\ and ".
# TYPE b_total counter
b_total 7
`
    )
  })
})
