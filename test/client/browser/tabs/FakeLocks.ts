import { setMaxListeners } from "node:events"
import type { LockOptions } from "../../../../src/client/browser/tabs/Tabs.ts"

/** Who asks: what happens to a process that is stuck waits, and to one that is dead never happens. */
export interface Process {
  readonly run: (act: () => void) => void
}

interface Request {
  readonly process: Process
  readonly held: () => Promise<void>
  readonly settle: (failure?: Error) => void
  /** Once it was granted, its signal means nothing. */
  readonly granted: () => void
}

const failure = (name: string) => Object.assign(new Error(name), { name })

/** Web Locks as the standard has them: one holder a name, who waits in order, and a thief who asks nobody. */
export const make = (later: (act: () => void) => void, changed: () => void) => {
  const holders = new Map<string, Request>()
  const queues = new Map<string, Array<Request>>()
  const queue = (name: string) => queues.get(name) ?? []

  const grant = (name: string, request: Request) => {
    holders.set(name, request)
    request.granted()
    const over = (failure?: Error) => {
      if (holders.get(name) !== request) return
      request.settle(failure)
      release(name)
    }
    later(() => request.process.run(() => void request.held().then(() => over(), over)))
  }

  const release = (name: string) => {
    holders.delete(name)
    const [first, ...rest] = queue(name)
    queues.set(name, rest)
    if (first !== undefined) grant(name, first)
    changed()
  }

  const withdraw = (name: string, isSuch: (request: Request) => boolean) =>
    queues.set(
      name,
      queue(name).filter((request) => !isSuch(request))
    )

  return {
    request: (process: Process, name: string, { signal, steal }: LockOptions, held: () => Promise<void>) =>
      new Promise<void>((resolve, reject) => {
        const settle = (failure?: Error) => process.run(() => (failure === undefined ? resolve() : reject(failure)))
        const request: Request = {
          process,
          held,
          settle,
          granted: () => signal?.removeEventListener("abort", giveUp)
        }
        const giveUp = () => {
          withdraw(name, (other) => other === request)
          settle(failure("AbortError"))
        }
        if (signal !== undefined && steal === true) return settle(failure("NotSupportedError"))
        if (signal?.aborted) return settle(failure("AbortError"))
        if (signal !== undefined) setMaxListeners(0, signal) // the leader waits for each tab's lock
        signal?.addEventListener("abort", giveUp)
        const holder = holders.get(name)
        if (steal === true) {
          grant(name, request)
          if (holder !== undefined) later(() => holder.settle(failure("AbortError")))
        } else if (holder === undefined) grant(name, request)
        else queues.set(name, [...queue(name), request])
      }),
    /** What a dead process held is the next one's. */
    forget: (process: Process) => {
      const isIts = (request: Request) => request.process === process
      for (const name of queues.keys()) withdraw(name, isIts)
      for (const [name, holder] of holders) if (isIts(holder)) release(name)
    },
    /** Of all names. */
    count: () => holders.size + Array.from(queues.values()).flat().length
  }
}
