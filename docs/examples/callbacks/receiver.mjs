// A backend for Sluice in plain Node:
// CALLBACK_SECRET=... PORT=8000 node receiver.mjs
import { createHmac, timingSafeEqual } from "node:crypto"
import { createServer } from "node:http"

const secret = process.env.CALLBACK_SECRET
if (!secret) throw new Error("CALLBACK_SECRET is not set")
const toleranceSeconds = 300
const maxBytes = 1_000_000

const isSigned = (headers, body) => {
  const timestamp = headers["x-sluice-timestamp"] ?? ""
  const age = Math.abs(Date.now() / 1000 - Number(timestamp))
  if (!/^[0-9]{1,12}$/.test(timestamp) || age > toleranceSeconds) return false
  // Over the bytes as they came: JSON that was parsed and written again is not the same.
  const hex = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex")
  const expected = Buffer.from(`sha256=${hex}`)
  const given = Buffer.from(headers["x-sluice-signature"] ?? "")
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** The status and the body of the answer. */
const decide = ({ action, reason, request, token }) => {
  if (action === "disconnect") {
    console.log(`${token} is gone: ${reason}`)
    return [204]
  }
  // Here is the place for your own check of request.headers.cookie or request.headers.authorization.
  const user = new URL(request.url, "http://sluice").searchParams.get("user")
  if (!user) return [403]
  return [200, { request_id: user, events: [{ name: "welcome", data: `hello ${user}` }] }]
}

const server = createServer(async (request, response) => {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > maxBytes) return request.destroy()
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  const [status, answer] = isSigned(request.headers, body) ? decide(JSON.parse(body)) : [401]
  response.writeHead(status, { "Content-Type": "application/json" })
  response.end(answer && JSON.stringify(answer))
})

server.listen(Number(process.env.PORT ?? 8000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
