import * as assert from "node:assert/strict"

/** One line with a value. */
export interface Sample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

/** What one `# TYPE` line begins. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: ReadonlyArray<Sample>
}

const unescape = (text: string, signs: Readonly<Record<string, string>>): string =>
  text.replace(/\\(.?)/gs, (_, sign: string) => signs[sign] ?? assert.fail(`\\${sign} is no escape`))

const readLabels = (text: string): ReadonlyMap<string, string> => {
  const labels = new Map<string, string>()
  const pattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:\\.|[^\\"\n])*)"(,|$)/gsy
  while (pattern.lastIndex < text.length) {
    const [, name = "", value = ""] = pattern.exec(text) ?? assert.fail(`no labels: ${text}`)
    assert.ok(!labels.has(name), `label ${name} twice`)
    labels.set(name, unescape(value, { "\\": "\\", '"': '"', n: "\n" }))
  }
  return labels
}

const readNumber = (text: string): number => {
  if (text === "+Inf") return Number.POSITIVE_INFINITY
  if (text === "-Inf") return Number.NEGATIVE_INFINITY
  assert.match(text, /^(?:NaN|[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)$/)
  return Number(text)
}

const readSample = (line: string): Sample => {
  const [, name = "", labels = "", value = ""] =
    /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$/s.exec(line) ?? assert.fail(`no sample: ${line}`)
  return { name, labels: readLabels(labels), value: readNumber(value) }
}

const suffixes: Readonly<Record<string, ReadonlyArray<string>>> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"]
}

const without = (labels: ReadonlyMap<string, string>, name: string): string =>
  JSON.stringify(Array.from(labels).filter(([key]) => key !== name))

/** Of each series: bounds that rise and end with infinity, counts that do not fall and end with `_count`. */
const assertHistogram = ({ name, samples }: Family): void => {
  const of = (suffix: string) => samples.filter((sample) => sample.name === name + suffix)
  for (const { labels, value } of of("_count")) {
    const buckets = of("_bucket").filter((bucket) => without(bucket.labels, "le") === without(labels, "le"))
    const bounds = buckets.map((bucket) => readNumber(bucket.labels.get("le") ?? assert.fail("a bucket without le")))
    const counts = buckets.map((bucket) => bucket.value)
    assert.deepEqual(
      bounds,
      [...new Set(bounds)].sort((a, b) => a - b)
    )
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b)
    )
    assert.deepEqual([bounds.at(-1), counts.at(-1)], [Number.POSITIVE_INFINITY, value])
    assert.equal(of("_sum").filter((sum) => without(sum.labels, "") === without(labels, "")).length, 1)
  }
  assert.equal(of("_sum").length, of("_count").length)
}

/**
 * Reads the text format 0.0.4 as strictly as its description allows, by nothing of the source: a help and a type line for
 * each family, once and first; each series once.
 */
export const parse = (text: string): ReadonlyArray<Family> => {
  assert.ok(text === "" || text.endsWith("\n"), "the last line has no end")
  const families: Array<Family & { readonly samples: Array<Sample> }> = []
  const seen = new Set<string>()
  const lines = text.split("\n").slice(0, -1)
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ""
    if (line.startsWith("#")) {
      const [, name = "", help = ""] = /^# HELP ([^ ]+) (.*)$/s.exec(line) ?? assert.fail(`no help line: ${line}`)
      index += 1
      const [, typed, type = ""] =
        /^# TYPE ([^ ]+) ([a-z]+)$/.exec(lines[index] ?? "") ?? assert.fail(`no type: ${name}`)
      assert.equal(typed, name)
      assert.ok(type in suffixes, `type ${type}`)
      assert.ok(!families.some((family) => family.name === name), `${name} begins twice`)
      families.push({ name, type, help: unescape(help, { "\\": "\\", n: "\n" }), samples: [] })
      continue
    }
    const sample = readSample(line)
    const family = families.at(-1) ?? assert.fail("a sample before any type")
    assert.ok(
      suffixes[family.type]?.some((suffix) => sample.name === family.name + suffix),
      `${line} stands wrong`
    )
    const series = `${sample.name} ${without(sample.labels, "")}`
    assert.ok(!seen.has(series), `${series} twice`)
    seen.add(series)
    family.samples.push(sample)
  }
  for (const family of families) if (family.type === "histogram") assertHistogram(family)
  return families
}

/** What an exposition says, to be asked for the value of a series, which must be shown. */
export const read = (text: string) => {
  const series = new Map(
    parse(text)
      .flatMap(({ samples }) => samples)
      .map(({ labels, name, value }) => [`${name} ${JSON.stringify([...labels].sort())}`, value])
  )
  return (name: string, labels: Readonly<Record<string, string>> = {}): number => {
    const wanted = `${name} ${JSON.stringify(Object.entries(labels).sort())}`
    return series.get(wanted) ?? assert.fail(`${wanted} is not shown`)
  }
}
