import { Inspectable } from "effect"

const maxLength = 200

/** An `AggregateError` (one try for each address of a host) and some others have their words elsewhere than in `message`. */
const words = (failure: unknown): string => {
  if (failure instanceof AggregateError && failure.errors.length > 0) return failure.errors.map(words).join("; ")
  if (failure instanceof Error) {
    return failure.message || ("code" in failure && typeof failure.code === "string" ? failure.code : failure.name)
  }
  return Inspectable.toStringUnknown(failure, 0)
}

/** One readable line for a failure, whatever was thrown. For people: nothing is decided by it. */
export const make = (failure: unknown): string =>
  words(failure)
    .replace(/[\u0000-\u001f\u007f]+/g, " ")
    .trim()
    .slice(0, maxLength) || "without a word"
