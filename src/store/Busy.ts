import { Schedule } from "effect"
import { StoreError } from "../domain/SessionError.ts"

/**
 * For `Effect.retry`: a lock held by another process is waited for without stopping the loop, for 5 s. Nothing was stored
 * meanwhile, so it is safe.
 */
export const whileBusy = {
  while: (error: unknown): boolean => error instanceof StoreError && error.reason === "Busy",
  schedule: Schedule.intersect(Schedule.spaced("25 millis"), Schedule.recurUpTo("5 seconds"))
}
