/**
 * `npm run bench [-- NAME …]`: Sluice beside a raw server, on this machine, now. Prints ratios and judges none of them.
 * The same file is the start of the raw server and of the load process (`--as`), which are processes of their own.
 */
import type { RawServerKind } from "./Measure.ts"
import type { Figures } from "./Table.ts"

const isRaw = (role: string): role is RawServerKind =>
  role === "raw" || role === "rawGathering" || role === "rawKeeping"

const compare = async (names: ReadonlyArray<string>): Promise<void> => {
  const { hotPaths } = await import("./HotPaths.ts")
  const unknown = names.find((name) => !hotPaths.has(name))
  if (unknown !== undefined) {
    console.error(`sluice bench: no "${unknown}"; there are ${Array.from(hotPaths.keys()).join(", ")}`)
    process.exitCode = 1
    return
  }
  const Harness = await import("./Harness.ts")
  const Machine = await import("./Machine.ts")
  const Processes = await import("./Processes.ts")
  const Table = await import("./Table.ts")
  for (const line of Machine.describe(Processes.folder)) console.log(line)
  console.log(`\n${Table.header}`)
  const measured: Array<Figures> = []
  for (const [name, measures] of hotPaths) {
    if (names.length > 0 && !names.includes(name)) continue
    const bench = await Harness.open(name, measures)
    for (const [index, measure] of measures.entries()) {
      try {
        const figures = await bench.measure(index)
        for (const row of Table.rows(figures)) console.log(row)
        measured.push(figures)
      } catch (error) {
        console.log(Table.problem(measure, error))
      }
    }
    await bench.stop()
  }
  console.log(`\n${Table.legend(measured).join("\n")}`)
}

const role = process.argv[2]?.startsWith("--as=") ? process.argv[2].slice("--as=".length) : undefined
if (role === undefined) {
  await compare(process.argv.slice(2))
  process.exit() // nothing is left to wait for; the processes and their files go with this one
} else if (role === "load") {
  const LoadClient = await import("./LoadClient.ts")
  await LoadClient.run()
} else if (isRaw(role)) {
  const RawServer = await import("./RawServer.ts")
  RawServer.run(role)
} else if (role === "rawGateway") {
  const RawGateway = await import("./RawGateway.ts")
  RawGateway.run()
}
