import type { SessionState } from "./Session.ts"

/** The legal moves that anyone may ask for (design §5). The present state again is none: it changes nothing. */
const moves: Readonly<Record<SessionState, ReadonlyArray<SessionState>>> = {
  CREATED: ["STARTING", "CLOSING", "ENDED"],
  STARTING: ["ACTIVE", "CLOSING"],
  ACTIVE: ["SUSPENDED", "DETACHED", "CLOSING"],
  SUSPENDED: ["ACTIVE", "DETACHED", "CLOSING"],
  DETACHED: ["ACTIVE", "CLOSING"],
  CLOSING: ["ENDED"],
  ENDED: []
}

/** What recovery may do beside: of a session whose process died with the server. */
const recoveries: typeof moves = {
  CREATED: ["ENDED"],
  STARTING: ["DETACHED", "ENDED"],
  ACTIVE: ["ENDED"],
  SUSPENDED: ["ENDED"],
  DETACHED: ["ENDED"],
  CLOSING: [],
  ENDED: []
}

export type Mover = "anyone" | "recovery"

export const isLegal = (from: SessionState, to: SessionState, by: Mover = "anyone"): boolean =>
  moves[from].includes(to) || (by === "recovery" && recoveries[from].includes(to))

/** The states in which a watch is looked after by the periodic sync (design §4). */
export const isSynced = (state: SessionState): boolean =>
  state === "CREATED" || state === "STARTING" || state === "ACTIVE"

/** The client went away and may come back; after a grace it counts as gone. */
export const isAway = (state: SessionState): boolean => state === "SUSPENDED" || state === "DETACHED"
