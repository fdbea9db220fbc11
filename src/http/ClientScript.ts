import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { Option } from "effect"
import type { Exchange } from "./Exchange.ts"
import { header } from "./RequestHeader.ts"
import { RouteNotFound } from "./RequestError.ts"

/** By the package's own exports: the same file for `src/`, for `dist/` and below `node_modules/`. */
const find = Option.liftThrowable((name: string) => createRequire(import.meta.url).resolve(name))

const read = (file: string) => {
  const body = readFileSync(file)
  return { body, etag: `"${createHash("sha256").update(body).digest("base64url")}"` }
}

/** RFC 9110 §13.1.2, which compares weakly: a proxy that compresses makes a tag weak. */
const isAmong = (etag: string, tags: string): boolean =>
  tags.split(",").some((tag) => ["*", etag, `W/${etag}`].includes(tag.trim()))

/** `/client.js`: the door `sluice/client` as one file, for a page without a bundler. 404 when it was not built. */
export const make = (name = "sluice/client.js") => {
  let script: Option.Option<ReturnType<typeof read>> = Option.none()

  return (exchange: Exchange): void => {
    // Read by the first who asks: most servers are never asked, and each start is felt.
    script = Option.orElse(script, () => Option.map(find(name), read))
    if (Option.isNone(script)) return exchange.refuse(new RouteNotFound({ path: exchange.request.url ?? "" }))
    const { request, response } = exchange
    const { body, etag } = script.value
    const validators = { ETag: etag, "Cache-Control": "no-cache" }
    if (isAmong(etag, header(request, "if-none-match") ?? "")) response.writeHead(304, validators).end()
    else {
      response.writeHead(200, {
        "Content-Type": "text/javascript; charset=utf-8",
        "Content-Length": body.length,
        "X-Content-Type-Options": "nosniff",
        ...validators
      })
      response.end(body)
    }
  }
}
