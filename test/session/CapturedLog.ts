import { Cause, Context, Effect, Layer, Logger } from "effect"

export interface Line {
  readonly level: string
  /** Message, cause and annotations, as a person would read them. */
  readonly text: string
}

/** What was logged, instead of a console. */
export class CapturedLog extends Context.Tag("test/CapturedLog")<CapturedLog, ReadonlyArray<Line>>() {}

export const layer: Layer.Layer<CapturedLog> = Layer.unwrapEffect(
  Effect.sync(() => {
    const lines: Array<Line> = []
    const logger = Logger.make<unknown, void>(({ annotations, cause, logLevel, message }) => {
      const notes = Array.from(annotations, ([key, value]) => `${key}=${String(value)}`)
      lines.push({ level: logLevel.label, text: [String(message), Cause.pretty(cause), ...notes].join(" ") })
    })
    return Layer.merge(Layer.succeed(CapturedLog, lines), Logger.replace(Logger.defaultLogger, logger))
  })
)
