import { Effect, Redacted } from "effect"
import { type CommandError, misused } from "./CommandError.ts"

/** A server, and the key that it asks for. */
export interface Remote {
  /** Without a slash at its end. */
  readonly url: string
  readonly key: Redacted.Redacted | undefined
}

export const usage = `  --url URL        where the server is (default http://127.0.0.1:3000)
  --key KEY        its API key (default: SLUICE_API_KEY)`

export const flags = { url: { type: "string" }, key: { type: "string" } } as const

/** A base path in `url` is kept: servers stand behind proxies. */
export const make = (
  given: { readonly url?: string | undefined; readonly key?: string | undefined },
  usage: string
): Effect.Effect<Remote, CommandError> => {
  const url = given.url ?? "http://127.0.0.1:3000"
  const key = given.key ?? process.env["SLUICE_API_KEY"]
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    return Effect.fail(misused(`--url ${url.slice(0, 200)} is not allowed: an http or https URL`, usage))
  }
  if (key !== undefined && /[^\x21-\x7e]/.test(key)) {
    return Effect.fail(misused("the key is not allowed: visible characters only", usage))
  }
  return Effect.succeed({ url: url.replace(/\/+$/, ""), key: key ? Redacted.make(key) : undefined })
}
