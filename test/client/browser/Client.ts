import { Effect } from "effect"
import * as BrowserClient from "../../../src/client/browser/BrowserClient.ts"
import type { Item } from "../../../src/client/browser/Item.ts"
import type { Status } from "../../../src/client/browser/Status.ts"
import * as Changes from "../../http/Changes.ts"

export type { Item, Status }

/** A client whose items nobody takes, until its scope closes; and every status that it had. */
export const connect = (options: BrowserClient.Options) =>
  Effect.gen(function* () {
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => BrowserClient.connect(options)),
      (client) => Effect.sync(() => client.close())
    )
    const statuses: Array<Status> = [client.status]
    client.onStatus((status) => statuses.push(status))

    /** Waits until it is so; at once when it is. */
    const until = (state: Status["state"]) =>
      Effect.async<Status>((resume) => {
        if (client.status.state === state) return resume(Effect.succeed(client.status))
        const stop = client.onStatus((status) => {
          if (status.state !== state) return
          stop()
          resume(Effect.succeed(status))
        })
        return Effect.sync(stop)
      })

    /** The next of its changes. */
    const changed = Effect.async<Status>((resume) => {
      const stop = client.onStatus((status) => {
        stop()
        resume(Effect.succeed(status))
      })
      return Effect.sync(stop)
    })

    return { client, statuses, until, changed } as const
  })

/** A client and all that it said. */
export const follow = (options: BrowserClient.Options) =>
  Effect.gen(function* () {
    const connected = yield* connect(options)
    const items: Array<Item> = []
    const changes = Changes.make()
    let over: { readonly failure: unknown } | undefined

    const pump = async () => {
      for await (const item of connected.client) {
        items.push(item)
        changes.tell()
      }
    }
    const finished = (failure?: unknown) => {
      over = { failure }
      changes.tell()
    }
    pump().then(
      () => finished(),
      (failure: unknown) => finished(failure)
    )

    /** Waits until the items are such. */
    const has = (isSuch: (items: ReadonlyArray<Item>) => boolean) =>
      changes.until(() => (isSuch(items) ? Array.from(items) : undefined))

    /** The first item, come already or still to come, of this type. */
    const first = <Type extends Item["type"]>(type: Type) =>
      changes.until(() => items.find((item): item is Extract<Item, { readonly type: Type }> => item.type === type))

    /** Its end, and with what it failed, if it did. */
    const ended = Effect.map(
      changes.until(() => over),
      ({ failure }) => failure
    )

    return { ...connected, items, has, first, ended } as const
  })

export const eventsOf = (items: ReadonlyArray<Item>, session: string) =>
  items.flatMap((item) => (item.type === "event" && item.session === session ? [item] : []))

export const dataOf = (items: ReadonlyArray<Item>, session: string): ReadonlyArray<string> =>
  eventsOf(items, session).map(({ data }) => data)
