import type * as Cursor from "../../../protocol/Cursor.ts"
import type { Said } from "../../core/Frames.ts"
import type { Status } from "../Status.ts"

/** Where a tab is in each of its sessions. `undefined`: it will begin at the head. */
export type Places = ReadonlyArray<readonly [session: string, place: Cursor.Cursor | undefined]>

/** To the leading tab. */
export type ToLeader =
  | { readonly type: "join"; readonly tab: string; readonly places: Places }
  | { readonly type: "leave"; readonly tab: string }
  /** Whether it is there. */
  | { readonly type: "ask" }
  /** Time may have stood still. */
  | { readonly type: "hurry" }
  /** The connection with this token is of no use. */
  | { readonly type: "renew"; readonly token: string | undefined; readonly why: string }

/** From the leading tab. */
export type FromLeader =
  /** It leads from now on: who is there joins it. */
  | { readonly type: "leads" }
  | { readonly type: "status"; readonly status: Status; readonly token: string | undefined }
  | { readonly type: "said"; readonly said: ReadonlyArray<Said> }
  /** It cannot feed this tab, which is to make a connection of its own. */
  | { readonly type: "alone" }

/** What a tab takes in order, when it has time. */
export type Heard = Extract<FromLeader, { readonly type: "status" | "said" }>

/** `term`: grows from leader to leader. `to`: for this tab only. */
export type Spoken = FromLeader & { readonly term: number; readonly to?: string | undefined }

export type Message = ToLeader | Spoken
