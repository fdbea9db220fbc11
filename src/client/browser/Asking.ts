import * as Paths from "../../protocol/Paths.ts"
import * as Remote from "./Remote.ts"

/** It is in the log at `seq`; what came of it will be. */
export interface AskReceipt {
  readonly session: string
  readonly seq: number
}

/** `failed` with `status` 0: no answer came (`NO_ANSWER`, it may have been heard), or nothing was asked. */
export type AskResult =
  | { readonly type: "accepted"; readonly receipt: AskReceipt }
  | { readonly type: "failed"; readonly status: number; readonly code: string; readonly message: string }

/** What is said with it; JSON text. */
export interface Said {
  readonly id: string
  readonly data: string
}

/** `interrupt` or `stop`: posted once, never again, whatever comes of it (S119). Never rejects. */
export const ask = async (
  remote: Remote.Remote,
  what: "interrupt" | "stop",
  session: string,
  said: Said | undefined,
  token: string | undefined,
  signal: AbortSignal
): Promise<AskResult> => {
  const message = said === undefined ? [] : [`"message":{"id":${JSON.stringify(said.id)},"data":${said.data}}`]
  const own = token === undefined ? [] : [`"token":${JSON.stringify(token)}`]
  const call = {
    method: "POST",
    path: `${Paths.session(session)}/${what}`,
    body: `{${[...message, ...own].join(",")}}`
  } as const
  const answer = await Remote.ask(remote, call, signal)
  if (answer.type === "none") return { type: "failed", status: 0, code: "NO_ANSWER", message: answer.message }
  const { body, code, status } = answer
  const seq = Remote.field(body, "seq")
  if (status < 300 && typeof seq === "number") return { type: "accepted", receipt: { session, seq } }
  return { type: "failed", status, code, message: answer.message }
}
