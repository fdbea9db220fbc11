import type { SessionId } from "../domain/Session.ts"

/** Sessions that one connection owns: of more, the one owned longest is nobody's again. */
const maxOwned = 100

/**
 * Which connection owns which session for writing (design §5): at most one, the last that wrote. Watching needs none. What a
 * connection owned is nobody's when it ends.
 */
export class Ownership {
  private readonly owners = new Map<SessionId, string>()
  private readonly owned = new Map<string, Set<SessionId>>()

  /** The token of the former owner, when it was another one. */
  take(token: string, session: SessionId): string | undefined {
    const former = this.owners.get(session)
    if (former === token) return undefined
    if (former !== undefined) this.owned.get(former)?.delete(session)
    this.owners.set(session, token)
    const known = this.owned.get(token) ?? new Set()
    this.owned.set(token, known.add(session))
    const [longest] = known
    if (known.size > maxOwned && longest !== undefined) {
      known.delete(longest)
      this.owners.delete(longest)
    }
    return former
  }

  of(token: string): ReadonlyArray<SessionId> {
    return Array.from(this.owned.get(token) ?? [])
  }

  release(token: string): void {
    for (const session of this.owned.get(token) ?? []) this.owners.delete(session)
    this.owned.delete(token)
  }
}
