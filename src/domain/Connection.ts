/** Why the backend is told that a connection ended (contract §4). */
export const disconnectReasons = [
  "client_closed",
  "server_closed",
  "error",
  "slow_consumer",
  "replaced",
  "expired",
  "revoked",
  "shutdown"
] as const

export type DisconnectReason = (typeof disconnectReasons)[number]

/** Why a connection ended; `age`, `overload` and `ended` only on streams that no backend was asked about. */
export type EndReason = DisconnectReason | "age" | "overload" | "ended"

/** Sessions that one connection can watch (contract §2). */
export const maxWatches = 100
