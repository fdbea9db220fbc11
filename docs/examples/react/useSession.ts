import { useEffect, useState } from "react"
import { type BrowserClient, connect, type Item, sharedConnection, type Status } from "sluice/client"

/** A session from its start: what came, how it stands, and the client to send with. All tabs share one connection. */
export const useSession = (url: string, session: string) => {
  const [client, setClient] = useState<BrowserClient>()
  const [items, setItems] = useState<ReadonlyArray<Item>>([])
  const [status, setStatus] = useState<Status>({ state: "connecting" })

  useEffect(() => {
    const client = connect({ url, sessions: [{ session, from: "start" }], connection: sharedConnection })
    let fresh: Array<Item> = []
    let isGone = false
    const show = () => {
      const more = fresh
      fresh = []
      if (!isGone) setItems((before) => [...before, ...more])
    }
    const read = async () => {
      for await (const item of client) {
        // However many come at once, they are shown together.
        if (fresh.push(item) === 1) setTimeout(show, 16)
      }
    }
    setClient(client)
    setItems([])
    setStatus(client.status)
    client.onStatus(setStatus)
    read().catch(() => {}) // it was refused: its status says why
    return () => {
      isGone = true
      client.close()
    }
  }, [url, session])

  return { client, items, status }
}
