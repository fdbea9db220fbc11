import { readdirSync, readFileSync } from "node:fs"

export interface Lap {
  readonly seconds: number
  /** CPU time of the server, all threads, where the system tells it; else the time that went by. */
  readonly serverMicroseconds: number
  /** What this process used of the time that it had a core for: 1 is all of it. */
  readonly clientShare: number
  /** Part of the time that this process could have run and got no core. 0 where the system does not tell. */
  readonly clientWaited: number
}

/** Nanoseconds that a thread has run and has waited for a core. */
const threadTimes = (file: string): readonly [number, number] => {
  const [ran, waited] = readFileSync(file, "utf8").split(" ")
  return [Number(ran), Number(waited)]
}

/** Nanoseconds that the threads of a process have run. `undefined` on a system without Linux's `/proc`. */
const cpuNanoseconds = (pid: number): number | undefined => {
  const folder = `/proc/${pid}/task`
  try {
    return readdirSync(folder).reduce((sum, thread) => sum + threadTimes(`${folder}/${thread}/schedstat`)[0], 0)
  } catch {
    return undefined
  }
}

/** The name of what `Lap.serverMicroseconds` counts here. */
export const costUnit = cpuNanoseconds(process.pid) === undefined ? "µs" : "server CPU µs"

/** Seconds. Only the main thread counts: the others of a load process have little to do. */
const ownWait = (): number =>
  cpuNanoseconds(process.pid) === undefined
    ? 0
    : threadTimes(`/proc/${process.pid}/task/${process.pid}/schedstat`)[1] / 1e9

export interface Stopwatch {
  /** Seconds since the start. */
  readonly elapsed: () => number
  readonly stop: () => Lap
}

export const start = (serverPid: number): Stopwatch => {
  const serverBefore = cpuNanoseconds(serverPid)
  const waitBefore = ownWait()
  const clientBefore = process.cpuUsage()
  const began = performance.now()
  const elapsed = () => (performance.now() - began) / 1000
  return {
    elapsed,
    stop: () => {
      const seconds = elapsed()
      const client = process.cpuUsage(clientBefore)
      const waited = Math.min(ownWait() - waitBefore, seconds)
      const server = cpuNanoseconds(serverPid)
      return {
        seconds,
        serverMicroseconds:
          server === undefined || serverBefore === undefined ? seconds * 1e6 : (server - serverBefore) / 1000,
        clientShare: (client.user + client.system) / ((seconds - waited) * 1e6),
        clientWaited: waited / seconds
      }
    }
  }
}
