import * as ConnectAnswer from "../../src/domain/ConnectAnswer.ts"

export const parse = (body: unknown) => ConnectAnswer.parse(JSON.stringify(body))

/** What is read of an answer that binds this and nothing else. */
export const binds = (
  more: Partial<ConnectAnswer.ConnectAnswer>,
  ...ignored: ReadonlyArray<string>
): ConnectAnswer.Parsed => ({ answer: { ...ConnectAnswer.nothing, ...more }, ignored })
