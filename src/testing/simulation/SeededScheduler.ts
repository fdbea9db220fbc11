import { Context, Effect, type Fiber, FiberRef, GlobalValue, Random, type Scheduler } from "effect"
import { Tokens } from "../../connection/Tokens.ts"
import { EventLoop } from "../../store/EventLoop.ts"
import type { Chance } from "./Chance.ts"
import { SimulatedClock } from "./SimulatedClock.ts"

type Step = () => void

/** Where Effect keeps every fiber without a parent until it ends. Those of a dead process never do. */
const roots = GlobalValue.globalValue(Symbol.for("effect/FiberScope/Global"), () => ({
  roots: new Set<Fiber.RuntimeFiber<unknown, unknown>>()
})).roots

/**
 * One process of a simulation: its fibers, its event loop, its clock, and what reaches it from outside. Nothing of it runs by
 * itself: `step` runs one step, which chance chooses among those that may come next in a real process:
 * 1. a fiber that can go on, any of them, for no room may rely on the order in which others wake; or what was put behind the
 *    present step (`EventLoop.microtask`, in order);
 * 2. when there is none, the next turn of the loop (`EventLoop.immediate`, in order), a sleeper whose time has come, or an
 *    arrival from outside, any of them.
 * Time moves when nothing else can happen, and now and then while arrivals are still on their way, which may take a minute.
 */
export class SeededScheduler implements Scheduler.Scheduler {
  readonly clock: SimulatedClock
  /** Steps that were run. */
  steps = 0
  private readonly chance: Chance
  private isAlive = true
  private microtasks: Array<Step> = []
  private fibers: Array<Fiber.RuntimeFiber<unknown, unknown> | undefined> = []
  private readonly tasks = new Map<Fiber.RuntimeFiber<unknown, unknown> | undefined, Array<Step>>()
  private immediates: Array<Step> = []
  private arrivals: Array<Step> = []
  private woken: Array<Step> = []

  constructor(chance: Chance, now: number) {
    this.chance = chance
    this.clock = new SimulatedClock(now)
  }

  scheduleTask(task: Step, _priority: number, fiber?: Fiber.RuntimeFiber<unknown, unknown>): void {
    if (!this.isAlive) return
    const waiting = this.tasks.get(fiber)
    if (waiting !== undefined) {
      waiting.push(task)
      return
    }
    this.tasks.set(fiber, [task])
    this.fibers.push(fiber)
  }

  /** As in a real process: after so many operations others have a turn. */
  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    return fiber.currentOpCount > 2048 ? 0 : false
  }

  readonly immediate = (step: Step): void => {
    if (this.isAlive) this.immediates.push(step)
  }

  readonly microtask = (step: Step): void => {
    if (this.isAlive) this.microtasks.push(step)
  }

  /** From outside, at any time from now on: the answer of a disk, a byte of a network. */
  readonly arrive = (step: Step): void => {
    if (this.isAlive) this.arrivals.push(step)
  }

  /** Begins a fiber of this process. Its first step is run at once. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    const references = Context.empty().pipe(
      Context.add(EventLoop, { immediate: this.immediate, microtask: this.microtask }),
      Context.add(Tokens, { next: this.chance.uuid })
    )
    const installed = effect.pipe(
      Effect.provide(references),
      Effect.withClock(this.clock),
      Effect.withRandom(Random.make(this.chance.below(2 ** 31)))
    )
    return Effect.runFork(installed, { scheduler: this })
  }

  /** Runs one step. False: nothing can happen before time moves. */
  step(): boolean {
    const next = this.next()
    if (next === undefined) return false
    this.steps += 1
    next()
    return true
  }

  /** Time moves to what is due next, if that is not after `until`. False: nothing is. */
  advance(until = Number.POSITIVE_INFINITY): boolean {
    const { next } = this.clock
    if (next > until || next === Number.POSITIVE_INFINITY) return false
    this.woken.push(...this.clock.advance(next))
    return true
  }

  /** It is then, or later; who would have woken before wakes next. */
  moveTo(time: number): void {
    this.woken.push(...this.clock.advance(time))
  }

  /** Steps, and time when there is none, until `isEnough`, or at most until then. True: it is so. */
  run(isEnough: () => boolean, until = Number.POSITIVE_INFINITY): boolean {
    while (!isEnough()) if (!this.step() && !this.advance(until)) return isEnough()
    return true
  }

  /** It is dead, in the middle of whatever it did. */
  kill(): void {
    this.isAlive = false
    this.clock.clear()
    this.tasks.clear()
    this.microtasks = []
    this.fibers = []
    this.immediates = []
    this.arrivals = []
    this.woken = []
    for (const fiber of roots) if (fiber.getFiberRef(FiberRef.currentScheduler) === this) roots.delete(fiber)
  }

  private next(): Step | undefined {
    if (this.microtasks.length > 0 && (this.fibers.length === 0 || this.chance.oneIn(2))) return this.microtasks.shift()
    if (this.fibers.length > 0) return this.nextOfFibers()
    const { arrivals, immediates } = this
    const isWaiting = immediates.length === 0 && this.woken.length === 0 && arrivals.length > 0
    if (isWaiting && this.chance.oneIn(32)) this.advance(this.clock.now + 60_000)
    const { woken } = this
    const choices = arrivals.length + woken.length + (immediates.length > 0 ? 1 : 0)
    if (choices === 0) return undefined
    const chosen = this.chance.below(choices)
    if (chosen < arrivals.length) return arrivals.splice(chosen, 1)[0]
    const ofWoken = chosen - arrivals.length
    return ofWoken < woken.length ? woken.splice(ofWoken, 1)[0] : immediates.shift()
  }

  private nextOfFibers(): Step | undefined {
    const chosen = this.chance.below(this.fibers.length)
    const fiber = this.fibers[chosen]
    const waiting = this.tasks.get(fiber)
    const task = waiting?.shift()
    if (waiting === undefined || waiting.length === 0) {
      this.tasks.delete(fiber)
      this.fibers.splice(chosen, 1)
    }
    return task
  }
}
