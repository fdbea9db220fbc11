import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { gzipSync } from "node:zlib"
import { Option } from "effect"
import type { Exchange } from "./Exchange.ts"
import { header } from "./RequestHeader.ts"
import { RouteNotFound } from "./RequestError.ts"

const form = (body: Buffer, encoding: Readonly<Record<string, string>>) => ({
  body,
  headers: { ...encoding, "Content-Length": body.length },
  etag: `"${createHash("sha256").update(body).digest("base64url")}"`
})

/** By the package's own exports: the same file for `src/`, for `dist/` and below `node_modules/`. */
const read = Option.liftThrowable((name: string) => {
  const body = readFileSync(createRequire(import.meta.url).resolve(name))
  return { plain: form(body, {}), gzip: form(gzipSync(body, { level: 9 }), { "Content-Encoding": "gzip" }) }
})

/** RFC 9110 §13.1.2, which compares weakly: a proxy that compresses makes a tag weak. */
const isAmong = (etag: string, tags: string): boolean =>
  tags.split(",").some((tag) => ["*", etag, `W/${etag}`].includes(tag.trim()))

/** `/client.js`: the door `sluice/client` as one file, for a page without a bundler. 404 when it was not built. */
export const make = (name = "sluice/client.js") => {
  let script: ReturnType<typeof read> = Option.none()

  return (exchange: Exchange): void => {
    // Read by the first who asks: most servers are never asked, and each start is felt.
    script = Option.orElse(script, () => read(name))
    if (Option.isNone(script)) return exchange.refuse(new RouteNotFound({ path: exchange.request.url ?? "" }))
    const { request, response } = exchange
    const isGzip = /\bgzip\b(?!;q=0(?:\.0*)?(?:,|$))/.test(header(request, "accept-encoding") ?? "")
    const { body, etag, headers } = isGzip ? script.value.gzip : script.value.plain
    const validators = { ETag: etag, "Cache-Control": "no-cache", Vary: "Accept-Encoding, Origin" }
    if (isAmong(etag, header(request, "if-none-match") ?? "")) response.writeHead(304, validators).end()
    else {
      response.writeHead(200, {
        "Content-Type": "text/javascript; charset=utf-8",
        ...headers,
        "X-Content-Type-Options": "nosniff",
        ...validators
      })
      response.end(body)
    }
  }
}
