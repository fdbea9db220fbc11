import * as Http from "node:http"
import { Effect } from "effect"
import * as Changes from "../../http/Changes.ts"
import * as HttpServer from "../../http/HttpServer.ts"

/** Once, in place of what the server behind would do. */
export type Fault =
  /** Answered here; the server behind hears nothing. */
  | { readonly status: number; readonly code?: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection breaks; the server behind hears nothing. */
  | "unheard"
  /** The server behind does it, and the connection breaks before its answer. */
  | "unanswered"

/** A request that was made, in the order of their coming. */
export interface Post {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  /** Posts that were not answered yet when it came. */
  readonly others: number
}

/** A server in front of a real one, that fails posts as its script says and writes all of them down (S121). */
export const make = (target: string, script: Array<Fault | undefined> = []) =>
  Effect.gen(function* () {
    const posts: Array<Post> = []
    const changes = Changes.make()
    let open = 0

    const forward = (request: Http.IncomingMessage, response: Http.ServerResponse, body: string, isLost: boolean) => {
      const { headers, method, url } = request
      const behind = Http.request(new URL(url ?? "/", target), { agent: false, method, headers }, (answer) => {
        if (isLost) return void answer.resume().on("end", () => response.destroy())
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      })
      behind.on("error", () => response.destroy())
      response.on("close", () => behind.destroy())
      behind.end(body)
    }

    const onPost = (request: Http.IncomingMessage, response: Http.ServerResponse, text: string) => {
      posts.push({ path: request.url ?? "", body: JSON.parse(text), others: open })
      changes.tell()
      open += 1
      response.on("close", () => {
        open -= 1
      })
      const fault = script.shift()
      if (fault === "unheard") return response.destroy()
      if (typeof fault !== "object") return forward(request, response, text, fault === "unanswered")
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers })
      return response.end(JSON.stringify({ error: { code: fault.code ?? "SCRIPTED", message: "as the script says" } }))
    }

    const url = yield* HttpServer.withBodies((request, response, text) =>
      request.method === "POST" ? onPost(request, response, text) : forward(request, response, text, false)
    )
    /** Done when so many posts came. */
    const posted = (count: number) => changes.untilTrue(() => posts.length >= count)
    return { url, posts, posted, script } as const
  })
