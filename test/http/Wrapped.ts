import { Effect } from "effect"
import * as VectorCursor from "../../src/protocol/VectorCursor.ts"
import type { StreamClient } from "../../src/testing/StreamClient.ts"
import * as Call from "./Call.ts"

/** The events of a stream over several sessions, unwrapped. */
export const own = (client: StreamClient) =>
  client.events().flatMap((event) => (event.name === "message" ? [Call.json(event)] : []))

/** The data of one of its sessions. */
export const dataOf = (client: StreamClient, session: string) =>
  own(client).flatMap((event) => (event["session"] === session ? [event["data"]] : []))

/** Waits until so many of its sessions were live. */
export const lives = (client: StreamClient, count: number) =>
  Effect.asVoid(client.until(() => client.events().filter(({ name }) => name === "sluice.live").length >= count))

/** Waits until one session is live. */
export const live = (client: StreamClient, session: string) =>
  client.find((event) => event.name === "sluice.live" && Call.json(event)["session"] === session)

/** The token that a stream was given. */
export const token = (client: StreamClient) =>
  Effect.map(client.named("sluice.hello"), (hello) => String(Call.json(hello)["token"]))

/** Waits until its last id says that so many events were had of each session. */
export const reached = (client: StreamClient, seqs: Readonly<Record<string, number>>) =>
  client.until(() => {
    const vector = VectorCursor.parse(client.lastId())
    return Object.entries(seqs).every(([session, seq]) => vector?.get(session)?.seq === seq)
  })
