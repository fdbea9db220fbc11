import { readdirSync, readFileSync } from "node:fs"
import { Data, Effect, Either } from "effect"

/** Nothing is left of the group. */
export class ProcessGroupGone extends Data.TaggedError("ProcessGroupGone")<{ readonly pid: number }> {
  override get message(): string {
    return `no process is left in the group ${this.pid}`
  }
}

/** Every process of the group belongs to another user. */
export class SignalNotPermitted extends Data.TaggedError("SignalNotPermitted")<{
  readonly pid: number
  readonly signal: NodeJS.Signals
}> {
  override get message(): string {
    return `${this.signal} to the process group ${this.pid} is not permitted`
  }
}

export type SignalError = ProcessGroupGone | SignalNotPermitted

/**
 * To each process of the group that `pid` leads, or led: it is a group for as long as one of them is left. A process that
 * made a group of its own (`setsid`) is not reached.
 */
export const signal = (pid: number, signal: NodeJS.Signals): Effect.Effect<void, SignalError> =>
  Effect.suspend(() => {
    // To the system, -0 is our own group and -1 is every process there is.
    if (!Number.isSafeInteger(pid) || pid <= 1) return new ProcessGroupGone({ pid })
    return Effect.try({
      try: () => {
        process.kill(-pid, signal)
      },
      catch: (error) =>
        error instanceof Error && "code" in error && error.code === "EPERM"
          ? new SignalNotPermitted({ pid, signal })
          : new ProcessGroupGone({ pid })
    })
  })

/** Free of throws: `undefined` when there is no such file. Those of `/proc` are in memory. */
const read = (path: string): string | undefined => Either.getOrUndefined(Either.try(() => readFileSync(path, "latin1")))

/** Field 22 of `/proc/PID/stat`: ticks from the start of the system to that of the process. */
const startTime = (stat: string): string | undefined =>
  // Field 2 is the name in parentheses, and a name may have any character: the last one ends it. Field 3 follows.
  stat.slice(stat.lastIndexOf(")") + 2).split(" ")[22 - 3]

const bootId = (): string | undefined => read("/proc/sys/kernel/random/boot_id")?.slice(0, 8)

/**
 * Tells a process from every other that has its number before or after it, if not in the same hundredth of a second:
 * `PID:STARTTIME:BOOT`, since the ticks begin anew with each start of the system. `undefined` when there is no such
 * process, and where there is no `/proc`: anywhere but on Linux.
 */
export const identify = (pid: number): Effect.Effect<string | undefined> =>
  Effect.sync(() => {
    const started = startTime(read(`/proc/${pid}/stat`) ?? "")
    if (started === undefined) return undefined
    const boot = bootId()
    return boot === undefined ? undefined : `${pid}:${started}:${boot}`
  })

/** In the environment of all that a program starts, unless it clears it. Its value is of one start of one program. */
export const variable = "SLUICE_PROCESS_GROUP"

/** Living processes of the group, by field 5 of their `stat`. */
const members = (pid: number): ReadonlyArray<string> =>
  Either.getOrElse(
    Either.try(() => readdirSync("/proc")),
    () => []
  ).filter((name) => {
    const stat = /^[0-9]+$/.test(name) ? read(`/proc/${name}/stat`) : undefined
    return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[5 - 3] === String(pid)
  })

const isMarked =
  (mark: string) =>
  (pid: string): boolean =>
    (read(`/proc/${pid}/environ`) ?? "").split("\0").includes(mark)

/**
 * SIGKILL to the group of this identity; true when it was sent. Its leader may be gone: a program often ends by itself when
 * nobody reads its output any more, and leaves others. The system gives the number anew only when the whole group is gone, so
 * one of it that has our mark tells that it is ours. False when no such process is left, and for what is no identity.
 */
export const endOrphan = (identity: string): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const [, leader, number, mark] = /^((\d+):\d+:[0-9a-f]{8}):([0-9a-f-]{36})$/.exec(identity) ?? []
    if (leader?.split(":")[2] !== bootId()) return false
    const pid = Number(number)
    if ((yield* identify(pid)) !== leader && !members(pid).some(isMarked(`${variable}=${mark}`))) return false
    return Either.isRight(yield* Effect.either(signal(pid, "SIGKILL")))
  })
