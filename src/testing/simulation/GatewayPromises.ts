import type { Guests } from "./Guests.ts"
import type { Key } from "./Reader.ts"
import type { Heard } from "./SimulatedBackend.ts"

/** Promise 7, as the backend sees it: of each connect that it may have accepted it hears the end, once from each server. */
export const told = (heard: ReadonlyArray<Heard>): ReadonlyArray<string> => {
  const broken: Array<string> = []
  for (const connect of heard) {
    if (connect.action !== "connect") continue
    const { token } = connect
    const ends = heard.filter(
      (call) => call.action === "disconnect" && call.token === token && call.manner === "accepts" && call.isAnswered
    )
    const isRefused = connect.manner === "refuses" && connect.isAnswered
    if (ends.length === 0 && !isRefused) broken.push(`7: the backend never hears of the end of ${token}`)
    if (new Set(ends.map(({ server }) => server)).size < ends.length) {
      broken.push(`7: one server told the end of ${token} twice: ${ends.map(({ reason }) => reason).join(", ")}`)
    }
  }
  return broken
}

/** To be asked when the time limit of callbacks has passed. */
export const decided = ({ guests }: Guests): ReadonlyArray<string> =>
  guests.flatMap(({ fate, server, socket }) =>
    fate === "waiting" && !socket.isClosed ? [`7: a client of server ${server} still waits for the backend's word`] : []
  )

/** A new stream begins with the values of that moment. */
export const ofRetained = (
  acknowledged: ReadonlyMap<Key, number>,
  said: ReadonlyMap<string, string>
): ReadonlyArray<string> =>
  Array.from(acknowledged)
    .filter(([key, value]) => !(Number(said.get(key)) >= value))
    .map(([key, value]) => `2: a new stream is told ${said.get(key)} of ${key}, though ${value} was acknowledged`)
