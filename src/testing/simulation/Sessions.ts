import { SessionId } from "../../domain/Session.ts"

/** The sessions of every simulation. Producers append to `a` and `b`; processes work for `w`. */
export const sessions = { a: SessionId.make("a"), b: SessionId.make("b"), w: SessionId.make("w") } as const
export type Which = keyof typeof sessions
