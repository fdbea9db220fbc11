import type { BackendEvent } from "../domain/BackendEvent.ts"
import * as Frame from "../protocol/Frame.ts"
import * as Frames from "../store/Frames.ts"
import type { Connection } from "./Connection.ts"

/** What an event that belongs to no session looks like, on each kind of stream. Encoded once for all of them. */
export interface Encoded {
  readonly single: Frames.Frames
  readonly many: Frames.Frames
  /** Where only the backend speaks. */
  readonly bare: Frames.Frames
}

export type Kind = keyof Encoded

/** A stream without control frames is one where only the backend speaks. */
export const kindOf = ({ form, terms }: Connection): Kind => (terms.isControlled ? form : "bare")

/** `bare` is the text of its frame where only the backend speaks; `at` in epoch milliseconds. */
export const encode = ({ data, name }: BackendEvent, bare: string, at: number): Encoded => ({
  single: Frames.fromText(Frame.make({ event: name, data })),
  many: Frames.fromText(
    Frame.make({
      data: JSON.stringify({ session: null, name: name ?? "message", data, at: new Date(at).toISOString() })
    })
  ),
  bare: Frames.fromText(bare)
})

/** True when the connection took it. */
export const send = (connection: Connection, encoded: Encoded): boolean =>
  connection.send(encoded[kindOf(connection)]) === "written"
