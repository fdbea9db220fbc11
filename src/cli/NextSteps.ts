const defaultUrl = "http://127.0.0.1:3000"

/** What to try on a server that has just started, with this session. `hasKey`: it asks for one, which is in the reader's environment. */
export const lines = (url: string, session: string, hasKey: boolean): ReadonlyArray<string> => {
  const bearer = hasKey ? ` -H "Authorization: Bearer $SLUICE_API_KEY"` : ""
  const where = url === defaultUrl ? "" : ` --url ${url}`
  return [
    "",
    `append an event:     curl ${url}/v1/sessions/${session}/events${bearer} -H "Content-Type: application/json" -d '{"data":"hello"}'`,
    `follow the session:  npx sluice tail ${session} --from start${where}`,
    `see it in a browser: ${url}/?session=${session}&from=start`
  ]
}
