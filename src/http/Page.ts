import { readFileSync } from "node:fs"
import type { ServerResponse } from "node:http"

const html = readFileSync(new URL("./page.html", import.meta.url))

/** `/`: a session, live in the browser, by the client of `/client.js`. It loads nothing from elsewhere. */
export const send = (response: ServerResponse): void => {
  response.writeHead(200, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": html.length,
    "Content-Security-Policy":
      "default-src 'none'; style-src 'unsafe-inline'; script-src 'self' 'unsafe-inline'; connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache"
  })
  response.end(html)
}
