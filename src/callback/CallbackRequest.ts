/** What the backend is told of a client's request, with each header as Node's `request.headers` would have it. */

/** Request headers that are passed on: all of them, or those named here in lower case. */
export type Headers = "all" | ReadonlyArray<string>

/** Of several with one of these names the first counts: they hold one value by definition. */
const single: ReadonlySet<string> = new Set([
  "age",
  "authorization",
  "content-length",
  "content-type",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "referer",
  "retry-after",
  "server",
  "user-agent"
])

const joined = (name: string, first: string | ReadonlyArray<string>, next: string): string | ReadonlyArray<string> => {
  if (typeof first !== "string") return [...first, next]
  if (single.has(name)) return first
  return name === "cookie" ? `${first}; ${next}` : `${first}, ${next}`
}

/**
 * JSON text of `{ url, headers }`. It is read from the raw headers, since Node keeps the object that `request.headers` makes
 * for as long as the request, here the life of a stream. No header is left out for its meaning: hop-by-hop ones and
 * credentials reach the backend as well, unless `headers` lists others (contract §4).
 */
export const make = (url: string, rawHeaders: ReadonlyArray<string>, headers: Headers): string => {
  // Without a prototype, a header may have any name.
  const told: Record<string, string | ReadonlyArray<string>> = Object.create(null)
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase()
    const value = rawHeaders[i + 1]
    if (name === undefined || value === undefined || (headers !== "all" && !headers.includes(name))) continue
    const before = told[name]
    if (before !== undefined) told[name] = joined(name, before, value)
    else told[name] = name === "set-cookie" ? [value] : value
  }
  return JSON.stringify({ url, headers: told })
}
