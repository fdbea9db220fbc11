/** Why a connection ended (contract §4 names those that a backend hears of). */
export type EndReason =
  | "client_closed"
  | "server_closed"
  | "error"
  | "slow_consumer"
  | "shutdown"
  | "age"
  | "overload"
  | "ended"

/** Sessions that one connection can watch (contract §2). */
export const maxWatches = 100
