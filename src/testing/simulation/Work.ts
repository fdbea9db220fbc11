import { Context, Effect, Exit } from "effect"
import { Messages } from "../../session/inbox/Messages.ts"
import { Processes } from "../../session/worker/Processes.ts"
import * as TestProcess from "../TestProcess.ts"
import { sessions } from "./Sessions.ts"
import type { World } from "./World.ts"

/** What the process does with an interrupt. */
export type Temper = "obeys" | "hangs" | "fails"

const scripts: Readonly<Record<Temper, TestProcess.Script>> = {
  obeys: {},
  hangs: { interrupt: Effect.never },
  fails: { interrupt: Effect.fail("no") }
}

/** Who works for a session, and what is said to it. */
export class Work {
  /** Ids of messages that were acknowledged. */
  readonly acknowledged: Array<string> = []
  /** Interrupts that were acknowledged, by their place in the log. */
  readonly interrupts: Array<number> = []
  private child: { readonly process: TestProcess.TestProcess; readonly server: number } | undefined
  private outputs = 0
  private messages = 0
  private readonly world: World

  constructor(world: World) {
    this.world = world
  }

  attach(temper: Temper, isResumable: boolean): void {
    const { number, rooms } = this.world
    if (rooms === undefined) return
    this.world.fork(
      Effect.flatMap(TestProcess.make(scripts[temper]), (process) =>
        Effect.tap(Context.get(rooms, Processes).attach(sessions.w, process.process, { isResumable }), () =>
          Effect.sync(() => {
            this.child = { process, server: number }
          })
        )
      )
    )
  }

  emit(): void {
    if (this.child?.server !== this.world.number) return
    this.outputs += 1
    this.world.fork(this.child.process.emit({ name: "output", data: `output ${this.outputs}` }))
  }

  /** It ends by itself. */
  end(): void {
    if (this.child?.server === this.world.number) this.world.fork(this.child.process.end())
  }

  say(): void {
    const { rooms } = this.world
    if (rooms === undefined) return
    const id = this.nextId()
    this.world.fork(
      Context.get(rooms, Messages).accept(sessions.w, { id, data: '"x"', from: null, token: null }),
      (exit) => {
        if (Exit.isSuccess(exit)) this.acknowledged.push(id)
      }
    )
  }

  interrupt(hasMessage: boolean): void {
    const { rooms } = this.world
    if (rooms === undefined) return
    const id = this.nextId()
    const message = hasMessage ? { id, data: '"y"', from: null, token: null } : undefined
    this.world.fork(Context.get(rooms, Processes).interrupt(sessions.w, message), (exit) => {
      if (Exit.isFailure(exit)) return
      this.interrupts.push(exit.value.seq)
      if (hasMessage) this.acknowledged.push(id)
    })
  }

  stop(): void {
    const { rooms } = this.world
    if (rooms !== undefined) this.world.fork(Effect.ignore(Context.get(rooms, Processes).stop(sessions.w)))
  }

  private nextId(): string {
    this.messages += 1
    return `m${this.messages}`
  }
}
