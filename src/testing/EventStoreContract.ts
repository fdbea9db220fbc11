import { commitContract } from "./eventStore/CommitContract.ts"
import { historyContract } from "./eventStore/HistoryContract.ts"
import { lifeContract } from "./eventStore/LifeContract.ts"
import { pageContract } from "./eventStore/PageContract.ts"
import { retentionContract } from "./eventStore/RetentionContract.ts"
import type { Rule } from "./eventStore/Rule.ts"

/** What every `EventStore` does, one sentence each. Knows no test runner: loop over it in yours, with a new store for each. */
export const eventStoreContract: ReadonlyArray<Rule> = [
  ...commitContract,
  ...pageContract,
  ...historyContract,
  ...retentionContract,
  ...lifeContract
]
