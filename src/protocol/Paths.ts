/** Routes and header names that a server and its clients agree on (contract §2). */
export const healthz = "/healthz"
export const readyz = "/readyz"
export const clientScript = "/client.js"
export const sessions = "/v1/sessions"
export const manyStream = "/v1/stream"
export const internalSend = "/internal/send"
export const broadcast = "/v1/broadcast"
export const connections = "/v1/connections"

export const session = (id: string): string => `${sessions}/${encodeURIComponent(id)}`
export const events = (id: string): string => `${session(id)}/events`
export const stream = (id: string): string => `${session(id)}/stream`

export const lastEventId = "last-event-id"
export const idempotencyKey = "idempotency-key"
export const ndjson = "application/x-ndjson"
