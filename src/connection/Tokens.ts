import { randomUUID } from "node:crypto"
import { Context } from "effect"

/** Names for connections, each given once: nobody can guess one. By default random UUIDs, which `chance` relies on. */
export class Tokens extends Context.Reference<Tokens>()("sluice/connection/Tokens", {
  defaultValue: (): {
    /** A UUID of version 4. */
    readonly next: () => string
  } => ({ next: randomUUID })
}) {}

/** In [0, 1), fixed by the random token: spreads what must not happen to all connections at once. */
export const chance = (token: string): number => Number.parseInt(token.slice(0, 8), 16) / 2 ** 32
