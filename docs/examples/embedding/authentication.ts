import { Context, Duration, Effect, Layer } from "effect"
import { Backend, CallbackHandler } from "sluice/backend"

/** Whom a cookie belongs to: the application's own. */
export class Accounts extends Context.Tag("Accounts")<
  Accounts,
  { readonly find: (cookie: string) => Effect.Effect<string | undefined> }
>() {}

/** Only who is logged in is connected, as themselves, and has the log of nobody else on the stream. */
export const layer = Layer.unwrapEffect(
  Effect.map(Accounts, (accounts) =>
    Backend.layer({
      versions: { current: Effect.succeed({ version: "1.2.3" }) },
      callback: {
        admit: ({ headers }) =>
          Effect.gen(function* () {
            const account = yield* accounts.find(String(headers["cookie"] ?? ""))
            if (account === undefined) {
              return yield* new CallbackHandler.ConnectRefused({ status: 401, message: "Log in first" })
            }
            return { subject: account, watch: [{ session: `inbox-${account}` }], expiresIn: Duration.hours(1) }
          })
      }
    })
  )
)
