import { FastCheck as fc } from "effect"

/** Every UTF-16 unit, halves of surrogate pairs included. */
const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))

/** What has broken encoders before: line ends of SSE and of others, field names, separators, a byte order mark. */
const awkward = fc.constantFrom(
  ..."\r,\n,\r\n,\n\n,\r\r,\u0000,\t,\u000b,\u000c,\u0085,\u2028,\u2029,\ufeff,\ufffd,\ud800,\udc00,😀".split(","),
  ...[
    "",
    " ",
    ":",
    ": ",
    "data",
    "data:",
    "data: ",
    "event:",
    "id:",
    "id: x\n",
    "retry: 1\n",
    "\n\nevent: forged\ndata: x\n\n"
  ]
)

/** Any text at all. */
export const anyText = fc
  .array(fc.oneof(awkward, unit, fc.string({ unit: "grapheme" })), { maxLength: 8 })
  .map((parts) => parts.join(""))

/** Text that may stand in an `event:` or `id:` field: any without C0 controls; never empty. */
export const fieldText = anyText
  .map((text) =>
    Array.from(text)
      .filter((char) => char >= " ")
      .join("")
  )
  .filter((text) => text !== "")

export const c0 = fc.integer({ min: 0, max: 0x1f }).map((code) => String.fromCharCode(code))

export const epoch = fc.string({
  unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789"),
  minLength: 1,
  maxLength: 32
})

export const seq = fc.oneof(fc.nat(20), fc.maxSafeNat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER))

export const cursor = fc.record({ epoch, seq })

export const sessionId = fc
  .string({ unit: fc.constantFrom(..."ABCXYZabcdutxyz019._~:-"), minLength: 1, maxLength: 128 })
  .filter((id) => id !== "." && id !== "..")

/** Where a stream is cut into chunks. */
export const cuts = fc.array(fc.nat(), { maxLength: 12 })

/** What is left of a text on the wire: UTF-8 has no bytes for half a surrogate pair. */
export const asUtf8 = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd")

/** What is left of data in SSE: each line end is LF. */
export const asLines = (text: string): string => text.split("\r\n").join("\n").split("\r").join("\n")
