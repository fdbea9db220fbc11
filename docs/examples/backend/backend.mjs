/**
 * A small real application behind Sluice, in plain Node, without packages: people log in, let it hash a folder and see the
 * progress live; what one announces reaches all; a logout ends the stream. docs/gateway.md shows how to run it.
 *
 *   browser ── page, login, jobs ──▶ this program ── POST /internal/send (events, closes) ──▶ Sluice
 *   browser ── GET /sse/progress ──▶ Sluice ── POST /callback (connect, disconnect) ──▶ this program
 *
 * Sluice keeps the streams: it asks us before it opens one, and tells us when one has ended.
 */
import { createHash, createHmac, randomUUID, timingSafeEqual } from "node:crypto"
import { createReadStream } from "node:fs"
import { readdir, readFile, realpath, stat } from "node:fs/promises"
import { createServer } from "node:http"
import { join, relative, resolve, sep } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const {
  PORT = "4000",
  GATEWAY_URL = "http://localhost:3000", // where this program reaches Sluice
  STREAM_URL = `${GATEWAY_URL}/sse/progress`, // where browsers do: "/sse/progress" behind a proxy that serves both
  CALLBACK_SECRET, // as in Sluice: callbacks without a right signature are refused
  SLUICE_API_KEY, // as in Sluice, if it has one
  JOBS_ROOT = ".", // nothing outside of this folder is read
  USERS = "ann:tea ben:coffee" // a real application keeps salted hashes
} = process.env

const users = new Map(USERS.split(" ").map((pair) => pair.split(":")))
const sessions = new Map() // session id, which is the cookie → user; a real application lets them expire
const tickets = new Map() // ticket → { sid, tab }: see onConnect
const streams = new Map() // Sluice's token → { user, sid, tab }: those that we accepted and that have not ended
const jobs = new Map() // user → the latest job
const heard = { connects: 0, disconnects: 0 }

/** An answer that is not 2xx. */
class Refusal extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

// ── What we tell Sluice ──────────────────────────────────────────────────────────────────────────────────────────────

/**
 * An order: `event`, `close`, or both, the event first; for one `token`, for one `request_id`, or for all, which is
 * `request_id: null`. Resolves to Sluice's answer, or to undefined when nobody got it. Never rejects.
 */
const tell = async (order) => {
  const headers = { "Content-Type": "application/json" }
  if (SLUICE_API_KEY) headers.Authorization = `Bearer ${SLUICE_API_KEY}`
  try {
    for (let attempt = 1; ; attempt++) {
      const signal = AbortSignal.timeout(5000)
      const request = { method: "POST", headers, body: JSON.stringify(order), signal }
      const answer = await fetch(`${GATEWAY_URL}/internal/send`, request)
      const text = await answer.text()
      if (answer.ok) return JSON.parse(text)
      if (answer.status === 404) return undefined // gone: left the page, or lost the network and will be back
      if (answer.status !== 503 || attempt === 5) throw new Error(text)
      // 503: the reader is too slow. Nothing was taken, so trying again sends nothing twice.
      await sleep(1000 * Number(answer.headers.get("Retry-After") ?? 1))
    }
  } catch (error) {
    // Whether the order was carried out is not known, so it is not repeated. A page that comes back asks for GET /job.
    console.error(`Sluice: ${error.message}`)
    return undefined
  }
}

// ── What Sluice asks and tells us ────────────────────────────────────────────────────────────────────────────────────

/** True when a holder of the secret has signed just these bytes, in the last five minutes. */
const isSigned = (body, headers) => {
  if (!CALLBACK_SECRET) return true
  const timestamp = headers["x-sluice-timestamp"] ?? ""
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300)) return false
  const expected = createHmac("sha256", CALLBACK_SECRET).update(`${timestamp}.`).update(body).digest()
  const given = Buffer.from(String(headers["x-sluice-signature"]).replace(/^sha256=/, ""), "hex")
  return given.length === expected.length && timingSafeEqual(given, expected) // how long it takes tells nothing
}

const sidOf = (cookies = "") => /(?:^|;\s*)sid=([^;]*)/.exec(cookies)?.[1]

/**
 * May this stream be opened? 2xx opens it; any other status is the client's answer.
 *
 * The cookie of the login says who asks. It is there when page and stream have one origin, behind a proxy, which is how to
 * run this in earnest; and curl sends it too. Without a proxy the page is at port 4000 and the stream at 3000. A browser
 * sends cookies from one origin to another only if the server agrees (`Access-Control-Allow-Credentials`), and Sluice never
 * does, so that no other site can read a stream with the cookies of its visitors. So the page gets a ticket to put in the
 * URL: as URLs end up in logs, it is good for one stream, within 30 seconds. Sluice must list the page's origin then
 * (SLUICE_CORS_ORIGINS), or the browser does not let the page read the stream.
 */
const onConnect = ({ token, request }) => {
  const { pathname, searchParams } = new URL(request.url, "http://sluice")
  if (pathname !== "/sse/progress") throw new Refusal(404, "no such stream")
  const ticket = searchParams.get("ticket")
  const { sid, tab } = tickets.get(ticket) ?? { sid: sidOf(request.headers.cookie) }
  tickets.delete(ticket)
  const user = sessions.get(sid)
  if (user === undefined) throw new Refusal(401, "log in first")
  streams.set(token, { user, sid, tab })
  heard.connects += 1
  console.log(`connect: ${user}`)
  // By this request id we reach the user from now on. A stream that had it before is replaced: one stream for each user.
  return { request_id: user, events: [{ name: "welcome", data: { user } }] }
}

/** Comes once for each connect that we accepted; a second time, with the same token, only after a crash. */
const onDisconnect = ({ token, reason }) => {
  heard.disconnects += 1
  console.log(`disconnect: ${streams.get(token)?.user ?? "nobody that we know"}, ${reason}`)
  streams.delete(token)
}

const actions = { connect: onConnect, disconnect: onDisconnect }

const callback = ({ body, headers }) => {
  if (!isSigned(body, headers)) throw new Refusal(401, "not signed by Sluice")
  const call = JSON.parse(body)
  return actions[call.action]?.(call)
}

// ── The job: the digest of a folder ──────────────────────────────────────────────────────────────────────────────────

/** The same as `cd FOLDER && find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`. */
const hashFolder = async (job, folder) => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ name, parentPath }) => join(parentPath, name))
  const names = files.map((file) => relative(folder, file).replaceAll(sep, "/"))
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  for (const file of files) job.totalBytes += (await stat(file)).size
  const tree = createHash("sha256")
  for (const name of names) {
    const hash = createHash("sha256")
    for await (const chunk of createReadStream(join(folder, name))) {
      hash.update(chunk)
      job.bytes += chunk.length
    }
    tree.update(`${hash.digest("hex")}  ${name}\n`)
    job.files += 1
  }
  return tree.digest("hex")
}

/** Progress goes to one user, at most four times a second however fast the job is; the last word always. */
const run = async (user, job, folder) => {
  const end = hashFolder(job, folder).then(
    (digest) => Object.assign(job, { state: "done", digest }),
    (error) => Object.assign(job, { state: "failed", problem: error.code ?? error.message })
  )
  // One order at a time, since Sluice sends them in the order in which they arrive.
  const report = () => tell({ request_id: user, event: { name: job.state, data: JSON.stringify(job) } })
  while (job.state === "progress") {
    await report()
    await Promise.race([end, sleep(250)])
  }
  await report()
}

const startJob = async ({ json, user }) => {
  const root = await realpath(JOBS_ROOT)
  // Where it really is, after every `..` and symbolic link.
  const folder = await realpath(resolve(root, String(json.folder))).catch(() => "")
  const isUnderRoot = folder === root || folder.startsWith(root.endsWith(sep) ? root : root + sep)
  if (!isUnderRoot || !(await stat(folder)).isDirectory()) throw new Refusal(404, "no such folder here")
  const former = jobs.get(user)
  if (former?.state === "progress") throw new Refusal(409, "one job at a time")
  const job = { id: (former?.id ?? 0) + 1, state: "progress", files: 0, bytes: 0, totalBytes: 0 }
  jobs.set(user, job)
  void run(user, job, folder)
  return job
}

// ── What pages ask us ────────────────────────────────────────────────────────────────────────────────────────────────

const login = ({ json: { name, password } }, response) => {
  const digest = (text) => createHash("sha256").update(String(text)).digest()
  const isRight = timingSafeEqual(digest(password), digest(users.get(name) ?? randomUUID()))
  if (!isRight) throw new Refusal(401, "wrong name or password")
  const sid = randomUUID()
  sessions.set(sid, name)
  response.setHeader("Set-Cookie", `sid=${sid}; HttpOnly; SameSite=Lax; Path=/`) // and Secure, once there is https
  return { user: name }
}

/** Closes by token: unlike a request id, it also reaches a stream that is just being opened. */
const logout = async ({ sid }, response) => {
  sessions.delete(sid)
  const tokens = [...streams.keys()].filter((token) => streams.get(token).sid === sid)
  const event = { name: "farewell", data: "logged out" } // tells the page not to come back
  await Promise.all(tokens.map((token) => tell({ token, event, close: true })))
  response.setHeader("Set-Cookie", "sid=; Max-Age=0; Path=/")
}

/** Where the page finds its stream. Of two tabs, none may take the stream from the other by itself, again and again. */
const ticket = ({ json: { isReturn, tab }, sid, user }) => {
  const latest = [...streams.values()].findLast((stream) => stream.user === user)
  if (isReturn && latest && latest.tab !== tab) throw new Refusal(409, "open in another tab")
  const id = randomUUID()
  tickets.set(id, { sid, tab })
  setTimeout(() => tickets.delete(id), 30_000).unref()
  return { url: `${STREAM_URL}?ticket=${id}` }
}

const announce = async ({ json: { text }, user }) => {
  if (typeof text !== "string" || !/^.{1,500}$/s.test(text)) throw new Refusal(400, "text: 1 to 500 characters")
  const event = { name: "announcement", data: JSON.stringify({ from: user, text }) }
  const told = await tell({ request_id: null, event })
  if (told === undefined) throw new Refusal(502, "this could not be sent")
  return { connections: told.connections }
}

const status = () => ({ ...heard, online: [...new Set([...streams.values()].map(({ user }) => user))] })
const latestJob = ({ user }) => jobs.get(user)

const forAll = { "POST /login": login, "POST /callback": callback, "GET /status": status }
const forUsers = {
  "POST /logout": logout,
  "POST /ticket": ticket,
  "POST /jobs": startJob,
  "GET /job": latestJob,
  "POST /announce": announce
}

/** The page loads nothing from elsewhere, and talks to us and to Sluice alone. */
const policy = ["default-src 'none'", "style-src 'unsafe-inline'", "script-src 'unsafe-inline'"]
policy.push(`connect-src 'self' ${new URL(STREAM_URL, GATEWAY_URL).origin}`)
const page = { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy.join("; ") }

const answer = async (request, response) => {
  const route = `${request.method} ${request.url.split("?")[0]}`
  if (route === "GET /") return response.writeHead(200, page).end(await readFile(new URL("page.html", import.meta.url)))
  // A browser says so when the page of somebody else asks, perhaps with our cookie.
  const from = request.headers["sec-fetch-site"] ?? "none"
  if (from !== "same-origin" && from !== "none") throw new Refusal(403, "not from another site")
  const sid = sidOf(request.headers.cookie)
  const user = sessions.get(sid)
  const handler = forAll[route] ?? forUsers[route]
  if (handler === undefined) throw new Refusal(404, "no such route")
  if (forUsers[route] && user === undefined) throw new Refusal(401, "log in first")
  const chunks = []
  for await (const chunk of request) if (chunks.push(chunk) > 100) throw new Refusal(413, "too long")
  const body = Buffer.concat(chunks)
  const json = body.length > 0 && handler !== callback ? Object(JSON.parse(body)) : {}
  const result = await handler({ body, headers: request.headers, json, sid, user }, response)
  response.setHeader("Content-Type", "application/json").end(JSON.stringify(result ?? null))
}

const server = createServer((request, response) =>
  answer(request, response).catch((error) => {
    const code = error.status ?? (error instanceof SyntaxError ? 400 : 500)
    if (code === 500) console.error(error)
    const message = code === 500 ? "something went wrong here" : error.message
    response.writeHead(code, { "Content-Type": "application/json" }).end(JSON.stringify({ error: message }))
  })
)
server.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on http://localhost:${PORT}`))
