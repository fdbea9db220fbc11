import { Chunk, Data, Effect, Stream } from "effect"
import { maxEvents, type NewEvent, nameProblem } from "../../domain/Event.ts"
import type { AppendError } from "../../domain/SessionError.ts"
import type { Process } from "../../process/Process.ts"
import { weigh } from "../Append.ts"

/** A process gave an event that no producer could append. */
class InvalidOutput extends Data.TaggedError("InvalidOutput")<{ readonly problem: string }> {
  override get message(): string {
    return `an event of its output ${this.problem}`
  }
}

const problemOf = (event: NewEvent, maxBytes: number): string | undefined => {
  if (event.name === "") return "has an empty name: an event without a name is a message"
  const problem = nameProblem(event.name)
  if (problem !== undefined) return `has a name that ${problem}`
  return weigh([event]) > maxBytes ? `has more than ${maxBytes} bytes` : undefined
}

/** In their order, each piece small enough for one append. */
function* pieces(events: Iterable<NewEvent>, maxBytes: number): Iterable<ReadonlyArray<NewEvent>> {
  let piece: Array<NewEvent> = []
  let bytes = 0
  for (const event of events) {
    const weight = weigh([event])
    if (piece.length >= maxEvents || (piece.length > 0 && bytes + weight > maxBytes)) {
      yield piece
      piece = []
      bytes = 0
    }
    piece.push(event)
    bytes += weight
  }
  if (piece.length > 0) yield piece
}

/**
 * Appends the output of a process, each chunk when the one before is committed: a flood is slowed to the pace of the log.
 * Fails with what the process failed with, or could not be appended.
 */
export const pump = (
  process: Process,
  maxBytes: number,
  append: (events: ReadonlyArray<NewEvent>) => Effect.Effect<unknown, AppendError>
): Effect.Effect<void, unknown> =>
  Stream.runForEachChunk(process.output, (chunk) =>
    Effect.gen(function* () {
      for (const event of chunk) {
        const problem = problemOf(event, maxBytes)
        if (problem !== undefined) return yield* new InvalidOutput({ problem })
      }
      for (const piece of pieces(Chunk.toReadonlyArray(chunk), maxBytes)) yield* append(piece)
    })
  )
