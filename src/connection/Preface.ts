import * as Frames from "../store/Frames.ts"
import type { Encoded, Kind } from "./Broadcast.ts"

/**
 * The retained events, which every new connection is told before all else: joined once per kind of stream and change, and
 * shared by reference, so that a client that does not read costs no copy.
 */
export class Preface {
  private readonly events = new Map<string, Encoded>()
  private readonly joined = new Map<Kind, Frames.Frames | undefined>()

  set(key: string, encoded: Encoded): void {
    this.events.set(key, encoded)
    this.joined.clear()
  }

  delete(key: string): void {
    this.events.delete(key)
    this.joined.clear()
  }

  /** By key. `undefined` when there is nothing to say: an empty chunk would end the response. */
  of(kind: Kind): Frames.Frames | undefined {
    if (this.events.size === 0) return undefined
    if (!this.joined.has(kind)) this.joined.set(kind, this.join(kind))
    return this.joined.get(kind)
  }

  private join(kind: Kind): Frames.Frames | undefined {
    const byKey = Array.from(this.events).sort(([a], [b]) => (a < b ? -1 : 1))
    const frames = Frames.concat(byKey.map(([, encoded]) => Frames.bytes(encoded[kind])))
    return Frames.byteLength(frames) === 0 ? undefined : frames
  }
}
