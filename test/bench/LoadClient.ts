/**
 * The process that drives the servers, and is the backend of the gateways: it does what it is told, one order at a time,
 * until its parent lets go.
 */
import * as Backend from "./Backend.ts"
import { hotPaths } from "./HotPaths.ts"
import type { Outcome, Server } from "./Measure.ts"

export interface Order {
  readonly path: string
  /** Which measure of the path. */
  readonly measure: number
  readonly step: "prepare" | "run"
  readonly server: Server
}

/** The first thing it says. */
export interface Ready {
  readonly callbackUrl: string
}

export type Answer = { readonly outcome: Outcome | undefined } | { readonly problem: string }

const obey = async ({ measure: index, path, server, step }: Order, backend: Backend.Backend): Promise<Answer> => {
  const measure = hotPaths.get(path)?.[index]
  if (measure === undefined) return { problem: `no measure ${index} of ${path}` }
  try {
    if (step === "run") return { outcome: await measure.run(server, backend) }
    await measure.prepare?.(server, backend)
    return { outcome: undefined }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

export const run = async (): Promise<void> => {
  const backend = await Backend.open()
  process.on("message", (order: Order) => {
    void obey(order, backend).then((answer) => process.send?.(answer))
  })
  const ready: Ready = { callbackUrl: backend.url }
  process.send?.(ready)
}
