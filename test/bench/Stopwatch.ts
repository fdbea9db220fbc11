import { readdirSync, readFileSync } from "node:fs"

export interface Lap {
  readonly seconds: number
  /** CPU time of the server, all threads, where the system tells it; else the time that went by. */
  readonly serverMicroseconds: number
  /** CPU time of this process by the time that went by: 1 is a whole core. */
  readonly clientShare: number
}

/** Nanoseconds that the threads of a process have run. `undefined` on a system without Linux's `/proc`. */
const cpuNanoseconds = (pid: number): number | undefined => {
  const folder = `/proc/${pid}/task`
  try {
    return readdirSync(folder).reduce(
      (sum, thread) => sum + Number(readFileSync(`${folder}/${thread}/schedstat`, "utf8").split(" ")[0]),
      0
    )
  } catch {
    return undefined
  }
}

/** The name of what `Lap.serverMicroseconds` counts here. */
export const costUnit = cpuNanoseconds(process.pid) === undefined ? "µs" : "server CPU µs"

export interface Stopwatch {
  /** Seconds since the start. */
  readonly elapsed: () => number
  readonly stop: () => Lap
}

export const start = (serverPid: number): Stopwatch => {
  const serverBefore = cpuNanoseconds(serverPid)
  const clientBefore = process.cpuUsage()
  const began = performance.now()
  const elapsed = () => (performance.now() - began) / 1000
  return {
    elapsed,
    stop: () => {
      const seconds = elapsed()
      const client = process.cpuUsage(clientBefore)
      const server = cpuNanoseconds(serverPid)
      return {
        seconds,
        serverMicroseconds:
          server === undefined || serverBefore === undefined ? seconds * 1e6 : (server - serverBefore) / 1000,
        clientShare: (client.user + client.system) / (seconds * 1e6)
      }
    }
  }
}
