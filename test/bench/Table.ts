/** The table: a row for each measure and baseline, the ratio of each round to the baseline's run beside it. */
import type { Measure, Outcome, RawKind, ServerKind, SluiceKind } from "./Measure.ts"

export interface Figures {
  readonly measure: Measure
  /** Those that count. */
  readonly rounds: ReadonlyArray<ReadonlyMap<ServerKind, Outcome>>
}

/** From here on the load client, not the server, decides what a rate is. */
const clientLimit = 0.9

const widths = [53, 25, 8, 21, 21, 3] as const

const line = (cells: ReadonlyArray<string>): string =>
  cells
    .map((cell, index) => (index < 2 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0)))
    .join(" ")
    .trimEnd()

const median = (sorted: ReadonlyArray<number>): number => {
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

const ascending = (values: ReadonlyArray<number>): ReadonlyArray<number> => values.toSorted((a, b) => a - b)

const figure = (value: number): string =>
  value >= 1e6
    ? `${(value / 1e6).toFixed(2)} M`
    : value >= 1000
      ? `${(value / 1e3).toFixed(1)} k`
      : value.toPrecision(3)

const spread = (values: ReadonlyArray<number>): string => {
  const sorted = ascending(values)
  const [least = Number.NaN] = sorted
  return `${median(sorted).toFixed(2)} (${least.toFixed(2)}–${(sorted.at(-1) ?? Number.NaN).toFixed(2)})`
}

const names: Readonly<Record<RawKind, string>> = {
  raw: "",
  rawGateway: "",
  rawGathering: ", gathering",
  rawKeeping: ", keeping"
}

const isClientBound = ({ rounds }: Figures, kind: ServerKind): boolean =>
  median(ascending(rounds.map((round) => round.get(kind)?.clientShare ?? 0))) > clientLimit

const valuesOf = ({ rounds }: Figures, kind: ServerKind): ReadonlyArray<number> =>
  rounds.map((round) => round.get(kind)?.value ?? Number.NaN)

const row = (figures: Figures, baseline: RawKind): string => {
  const { measure, rounds } = figures
  const raw = valuesOf(figures, baseline)
  const bound = (kind: ServerKind): string => (isClientBound(figures, kind) ? "*" : "")
  const cell = (kind: SluiceKind): string => {
    if (!measure.against.includes(kind)) return "–"
    const values = valuesOf(figures, kind)
    return (
      spread(measure.isRatio ? values : values.map((value, round) => value / (raw[round] ?? Number.NaN))) + bound(kind)
    )
  }
  const against = names[baseline] === "" ? "" : ` (raw${names[baseline]})`
  const arrow = measure.better === "more" ? "↑" : "↓"
  const absolute = figure(median(ascending(raw))) + bound(baseline)
  return line([
    `${measure.says}${against}`,
    `${measure.unit} ${arrow}`,
    absolute,
    cell("power"),
    cell("process"),
    `${rounds.length}`
  ])
}

export const header = `${line(["", "", "raw", "power / raw", "process / raw", "n"])}\n${"─".repeat(136)}`

export const rows = (figures: Figures): ReadonlyArray<string> =>
  figures.measure.baselines.map((baseline) => row(figures, baseline))

export const problem = ({ says }: Measure, error: unknown): string =>
  `${says.padEnd(widths[0])} not measured: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`

const wrap = (text: string): string => text.replace(/(?=.{119})(.{1,118}) /g, "$1\n  ")

/** A load client that has to wait for a core for more than this is disturbed by something else. */
const quietLimit = 0.1

const disturbance = (measured: ReadonlyArray<Figures>): ReadonlyArray<string> => {
  const outcomes = measured.flatMap(({ rounds }) => rounds.flatMap((round) => Array.from(round.values())))
  const waited = median(ascending(outcomes.flatMap(({ clientWaited }) => clientWaited ?? [])))
  if (!(waited > quietLimit)) return []
  const percent = Math.round(waited * 100)
  return [`! The machine was busy with something else: the load client waited ${percent} % of the time for a core.`]
}

/** What has to be known to read the table. */
export const legend = (measured: ReadonlyArray<Figures>): ReadonlyArray<string> =>
  [
    ...disturbance(measured),
    "Ratios are sluice / raw of the same round: median (least–greatest) of n rounds. ↑ more is better, ↓ less is.",
    "raw: a server by hand on node:http that checks and stores nothing; its median, an orientation only.",
    "power: an acknowledged event survives a power cut (fsync); process: a crash of the process. –: durability does not matter there.",
    "* The load client was the limit, not the server, which could do more.",
    ...measured.flatMap(({ measure: { note } }) => (note === undefined ? [] : [note]))
  ].map(wrap)
