import { Effect } from "effect"
import * as Changes from "../../http/Changes.ts"

/** One stream that a test writes. */
export interface ScriptedStream {
  readonly url: string
  readonly headers: Headers
  readonly signal: AbortSignal | null | undefined
  /** The head of the answer, with a body that stays open. */
  readonly open: () => void
  readonly answer: (response: Response) => void
  readonly fail: (error: Error) => void
  /** Done when the client took it and asks for more. */
  readonly write: (text: string) => Effect.Effect<void>
  readonly end: () => void
}

/** In place of `fetch`: each request waits until the test answers. It knows nothing of aborts, as the worst of them. */
export const make = () => {
  const streams: Array<ScriptedStream> = []
  const changes = Changes.make()

  const fetch: typeof globalThis.fetch = (input, init) => {
    let pulled: () => void = () => {}
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>(
      {
        start: (made) => {
          controller = made
        },
        pull: () => pulled()
      },
      { highWaterMark: 0 }
    )
    return new Promise((resolve, reject) => {
      streams.push({
        url: String(input),
        headers: new Headers(init?.headers),
        signal: init?.signal,
        open: () => resolve(new Response(body, { headers: { "content-type": "text/event-stream" } })),
        answer: resolve,
        fail: reject,
        write: (text) =>
          Effect.async<void>((resume) => {
            // Enqueued for a read that waits, it is pulled again only when the client comes back for more.
            pulled = () => resume(Effect.void)
            controller?.enqueue(new TextEncoder().encode(text))
          }),
        end: () => controller?.close()
      })
      changes.tell()
    })
  }

  /** The request of this number, 0 for the first, when it was made. */
  const request = (index: number) => changes.until(() => streams[index])

  return { fetch, request, count: () => streams.length } as const
}

const place = (head: number): string => `id: s.e.${head}\n`

/** As a server says it of a log `e` with `head` events. */
export const hello = (head: number, more: { readonly retry?: number; readonly heartbeat?: number } = {}): string => {
  const session = { session: "s", epoch: "e", cursor: `e.${head}`, oldest: 1, head, mode: "resumed" }
  const body = { token: "t", heartbeat: 15, retry: 0, sessions: [session], ...more }
  return `${place(head)}event: sluice.hello\ndata: ${JSON.stringify(body)}\n\n`
}

export const event = (seq: number): string =>
  `data: ${JSON.stringify({ session: "s", epoch: "e", seq, name: "message", data: String(seq), at: "" })}\n\n${place(seq)}\n`

export const live = (head: number): string =>
  `event: sluice.live\ndata: ${JSON.stringify({ session: "s", cursor: `e.${head}` })}\n\n`

export const bye = (retry: number): string =>
  `event: sluice.bye\ndata: ${JSON.stringify({ reason: "shutdown", retry })}\n\n`

/** Lets everything happen that waits for nothing outside. */
export const settled = Effect.promise(async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
})
