import { FileSystem, Path } from "@effect/platform"
import { Data, Effect } from "effect"
import { Tasks } from "sluice/backend"

/** What a folder holds, by kind of file. */
export interface Inventory {
  readonly [extension: string]: { readonly files: number; readonly bytes: number }
}

/** For people: which entry could not be read. */
export class Unreadable extends Data.TaggedError("Unreadable")<{ readonly entry: string }> {
  override get message(): string {
    return `${this.entry} cannot be read`
  }
}

/** Counts what is in `folder`, and says how far it is after each entry. */
export const take = (folder: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const progress = yield* Tasks.TaskProgress
    const entries = yield* files
      .readDirectory(folder, { recursive: true })
      .pipe(Effect.mapError(() => new Unreadable({ entry: folder })))
    const inventory = new Map<string, { files: number; bytes: number }>()
    for (const [index, entry] of entries.entries()) {
      const found = yield* files.stat(path.join(folder, entry)).pipe(Effect.mapError(() => new Unreadable({ entry })))
      if (found.type === "File") {
        const kind = path.extname(entry) || "other"
        const known = inventory.get(kind) ?? { files: 0, bytes: 0 }
        inventory.set(kind, { files: known.files + 1, bytes: known.bytes + Number(found.size) })
      }
      yield* progress.report((index + 1) / entries.length, entry)
    }
    return Object.fromEntries(inventory) satisfies Inventory
  })
