/** What came as JSON, read without trust: what is not as it should be counts as empty. */
export type Body = Readonly<Record<string, unknown>>

export const record = (value: unknown): Body => (typeof value === "object" && value !== null ? { ...value } : {})

export const parse = (text: string): Body => {
  try {
    return record(JSON.parse(text))
  } catch {
    return {}
  }
}

export const text = (value: unknown): string => (typeof value === "string" ? value : "")

export const list = (value: unknown): ReadonlyArray<Body> => (Array.isArray(value) ? value.map(record) : [])

/** A whole number from 0. */
export const whole = (value: unknown): number => Math.max(0, Number.isSafeInteger(value) ? Number(value) : 0)
