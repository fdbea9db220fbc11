import { useState } from "react"
import { createRoot } from "react-dom/client"
import type { EventItem, GapItem } from "sluice/client"
import { useSession } from "./useSession.js"

const Line = ({ data }: EventItem) => <li>{data}</li>

/** What did not come, when somebody asks for it. */
const Gap = ({ gap, history }: GapItem) => {
  const [events, setEvents] = useState<ReadonlyArray<EventItem>>([])
  const load = async () => {
    for await (const { events } of history()) setEvents((before) => [...before, ...events])
  }
  if (events.length > 0) return events.map((event) => <Line key={event.seq} {...event} />)
  return (
    <li>
      {gap.missed ?? "some"} before{" "}
      <button type="button" onClick={() => void load()}>
        Load them
      </button>
    </li>
  )
}

const Chat = ({ server, session }: { readonly server: string; readonly session: string }) => {
  const { client, items, status } = useSession(server, session)
  const [text, setText] = useState("")
  const [problem, setProblem] = useState("")

  const send = async () => {
    setText("")
    const result = await client?.send(text)
    setProblem(result === undefined || result.type === "accepted" ? "" : `not sent: ${result.type}`)
  }

  return (
    <main>
      <p role="status">{status.state === "offline" ? `offline: ${status.reason}` : status.state}</p>
      <ol>
        {items.map((item) => {
          if (item.type === "event") return <Line key={`${item.epoch}.${item.seq}`} {...item} />
          return item.type === "gap" ? <Gap key={`${item.gap.epoch}-${item.gap.next}`} {...item} /> : null
        })}
      </ol>
      <form action={send}>
        <input aria-label="Message" value={text} onChange={({ target }) => setText(target.value)} />
        <button type="submit">Send</button> {problem}
      </form>
    </main>
  )
}

const root = document.querySelector<HTMLElement>("#root")
// Empty: the page's own origin.
if (root !== null) createRoot(root).render(<Chat server={root.dataset["server"] ?? ""} session="chat" />)
