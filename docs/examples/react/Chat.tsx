import { Fragment, useState } from "react"
import { createRoot } from "react-dom/client"
import type { EventItem, GapItem, HistoryPage } from "sluice/client"
import { useSession } from "./useSession.js"

const Line = ({ data }: EventItem) => <li>{data}</li>

/** What did not come, when somebody asks for it. */
const Gap = ({ gap, history }: GapItem) => {
  const [pages, setPages] = useState<ReadonlyArray<HistoryPage>>()
  const [note, setNote] = useState(`${gap.missed ?? "some"} before `)
  const [isLoading, setLoading] = useState(false)

  const load = async () => {
    setLoading(true)
    const all: Array<HistoryPage> = []
    try {
      for await (const page of history()) all.push(page)
      setPages(all)
    } catch (failure) {
      setNote(`not loaded: ${failure instanceof Error ? failure.message : failure} `)
    }
    setLoading(false)
  }

  if (pages !== undefined) {
    return pages.map(({ events, lost }) => (
      <Fragment key={events[0]?.seq ?? 0}>
        {lost !== undefined && <li>{lost.missed} are no longer kept</li>}
        {events.map((event) => (
          <Line key={event.seq} {...event} />
        ))}
      </Fragment>
    ))
  }
  return (
    <li>
      {note}
      <button type="button" disabled={isLoading} onClick={() => void load()}>
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
    setProblem("on its way")
    const result = await client?.send(text)
    setProblem(result?.type === "accepted" ? "" : `not sent: ${text} (${result?.type ?? "not connected"})`)
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
