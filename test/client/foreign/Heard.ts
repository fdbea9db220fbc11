import * as Call from "../../http/Call.ts"
import * as Sluice from "../../http/Sluice.ts"

/** An event as a client gives it to its application. */
export interface Heard {
  /** Its `lastEventId`. */
  readonly id: string
  readonly name: string
  readonly data: string
}

export const named = (heard: ReadonlyArray<Heard>, name: string) => heard.filter((event) => event.name === name)

/** Events of a stream of one session whose data is their number, as every client gives them. */
export const numbered = (epoch: string, first: number, last: number): ReadonlyArray<Heard> =>
  Sluice.range(first, last).map((data) => ({ id: `${epoch}.${data}`, name: "message", data }))

/** The data of one session of a stream over several. */
export const dataOf = (heard: ReadonlyArray<Heard>, session: string): ReadonlyArray<unknown> =>
  named(heard, "message").flatMap((event) => {
    const wrapped = Call.json(event)
    return wrapped["session"] === session ? [wrapped["data"]] : []
  })
