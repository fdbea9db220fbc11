import type { Readable } from "node:stream"
import { Chunk, Effect, Option, Stream } from "effect"
import { maxEvents, type NewEvent } from "../domain/Event.ts"
import * as OutputLines from "./OutputLines.ts"

/** The two outputs of a program, for one reader. */
export interface OutputPipes {
  /**
   * Each in its own order; a chunk is what both had when it was pulled, or 1,000 events of that. What is not pulled stays in
   * the pipes: 128 KiB of each here, the rest with the system, until that stops the writer. Ends when both are closed.
   */
  readonly events: Stream.Stream<NewEvent>
  readonly isClosed: () => boolean
  /** A reader waits: there is nothing to read. */
  readonly isAwaited: () => boolean
  /** Bytes read up to now. */
  readonly bytes: () => number
  /** Drops what was not read; idempotent. */
  readonly destroy: () => void
}

/** One output: bytes in, events out. Invalid UTF-8 becomes U+FFFD; a byte order mark is text like any other. */
class OutputPipe {
  bytes = 0
  isClosed = false
  private hasEnded = false
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  private readonly stream: Readable
  private readonly lines: OutputLines.OutputLines

  constructor(stream: Readable, lines: OutputLines.OutputLines, onNews: () => void) {
    this.stream = stream
    this.lines = lines
    // Listened to from the start: when the program exits, Node drops the output of a pipe that has no reader.
    stream.on("readable", onNews)
    stream.on("error", () => {}) // it is closed after it, and the program's exit tells more
    stream.once("close", () => {
      this.isClosed = true
      onNews()
    })
  }

  take(): ReadonlyArray<NewEvent> {
    const read: unknown = this.stream.read()
    if (read instanceof Uint8Array) {
      this.bytes += read.length
      return this.lines.feed(this.decoder.decode(read, { stream: true }))
    }
    if (!this.isClosed || this.hasEnded) return []
    this.hasEnded = true
    return [...this.lines.feed(this.decoder.decode()), ...this.lines.end()]
  }

  destroy(): void {
    this.stream.destroy()
  }
}

/** Listens at once; reads when it is pulled. */
export const make = (stdout: Readable, stderr: Readable, format: OutputLines.Format): OutputPipes => {
  /** Something has come since the pipes were found empty. */
  let hasNews = true
  let wake: (() => void) | undefined
  const onNews = () => {
    hasNews = true
    wake?.()
  }
  const pipes = [
    new OutputPipe(stdout, OutputLines.make({ source: "stdout", format }), onNews),
    new OutputPipe(stderr, OutputLines.make({ source: "stderr", format }), onNews)
  ]
  const isClosed = () => pipes.every((pipe) => pipe.isClosed)

  const news = Effect.async<void>((resume) => {
    // It came while the fiber had given way, between the read and this.
    if (hasNews) return resume(Effect.void)
    wake = () => resume(Effect.void)
    return Effect.sync(() => {
      wake = undefined
    })
  })

  let taken: ReadonlyArray<NewEvent> = []
  let given = 0
  const pull: Effect.Effect<Chunk.Chunk<NewEvent>, Option.Option<never>> = Effect.suspend(() => {
    if (given >= taken.length) {
      wake = undefined
      hasNews = false
      const isLast = isClosed()
      taken = pipes.flatMap((pipe) => pipe.take())
      given = 0
      if (taken.length === 0) return isLast ? Effect.fail(Option.none()) : Effect.zipRight(news, pull)
    }
    const chunk = Chunk.unsafeFromArray(taken.slice(given, given + maxEvents))
    given += maxEvents
    return Effect.succeed(chunk)
  })

  return {
    events: Stream.repeatEffectChunkOption(pull),
    isClosed,
    isAwaited: () => wake !== undefined,
    bytes: () => pipes.reduce((sum, pipe) => sum + pipe.bytes, 0),
    destroy: () => {
      for (const pipe of pipes) pipe.destroy()
    }
  }
}
