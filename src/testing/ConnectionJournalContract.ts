import { changeContract } from "./connectionJournal/ChangeContract.ts"
import { pieceContract } from "./connectionJournal/PieceContract.ts"
import type { Rule } from "./connectionJournal/Rule.ts"

/** What every `ConnectionJournal` does. Knows no test runner: loop over it in yours, with a new journal for each. */
export const connectionJournalContract: ReadonlyArray<Rule> = [...changeContract, ...pieceContract]
