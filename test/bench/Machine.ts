import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, statfsSync, writeSync } from "node:fs"
import { availableParallelism, cpus, release } from "node:os"
import { join } from "node:path"

/** Milliseconds until 4 KiB are on the disk, the median of a few. */
const syncMilliseconds = (folder: string): number => {
  const file = openSync(join(folder, "sync"), "w")
  const block = Buffer.alloc(4096, 1)
  const times = Array.from({ length: 15 }, () => {
    const began = performance.now()
    writeSync(file, block)
    fdatasyncSync(file)
    return performance.now() - began
  })
  closeSync(file)
  return times.sort((a, b) => a - b)[7] ?? Number.NaN
}

const limits = "/proc/self/limits"

/** How many files and sockets this process may have open. Where the system does not tell: what most allow. */
export const openFiles = (): number => {
  const told = existsSync(limits) ? /^Max open files\s+(\d+)/m.exec(readFileSync(limits, "utf8"))?.[1] : undefined
  return Number(told ?? 10_240)
}

/** Linux's number for a file system in memory, in which nothing survives a power cut. */
const tmpfs = 0x01021994

/** What the figures depend on. */
export const describe = (folder: string): ReadonlyArray<string> => {
  const model = cpus()[0]?.model.trim() || "unknown CPU"
  const inMemory = statfsSync(folder).type === tmpfs ? "; this is memory, so power costs no more than process" : ""
  return [
    `${model}, ${availableParallelism()} cores, Node ${process.versions.node}, ${process.platform} ${release()}`,
    `SQLite in ${folder} (TMPDIR chooses), 4 KiB to the disk in ${syncMilliseconds(folder).toFixed(2)} ms${inMemory}`
  ]
}
