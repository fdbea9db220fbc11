import type { IncomingMessage } from "node:http"

/**
 * One header without building the object of all of them, which Node keeps for as long as the request: about 1 KB for each
 * open stream. `name` in lower case; of several with one name, the first.
 */
export const header = (request: IncomingMessage, name: string): string | undefined => {
  const { rawHeaders } = request
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const key = rawHeaders[i]
    if (key !== undefined && key.length === name.length && key.toLowerCase() === name) return rawHeaders[i + 1]
  }
  return undefined
}
