const defaultUrl = "http://127.0.0.1:3000"

/** What to try on a server that has just started. `hasKey`: it asks for one, which is in the reader's environment. */
export const lines = (url: string, hasKey: boolean): ReadonlyArray<string> => {
  const bearer = hasKey ? ` -H "Authorization: Bearer $SLUICE_API_KEY"` : ""
  const where = url === defaultUrl ? "" : ` --url ${url}`
  return [
    "",
    `append an event:     curl ${url}/v1/sessions/demo/events${bearer} -H "Content-Type: application/json" -d '{"data":"hello"}'`,
    `follow the session:  npx sluice tail demo --from start${where}`,
    `see it in a browser: ${url}/?session=demo&from=start`
  ]
}
