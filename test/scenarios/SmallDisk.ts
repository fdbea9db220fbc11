import { spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"

/** A file system of its own, of 16 MB, until the scope closes. */
export interface SmallDisk {
  readonly filename: string
  /** Takes all that is free, to the last byte. */
  readonly fill: Effect.Effect<void>
  readonly free: Effect.Effect<void>
}

const mounted = () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-disk-"))
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", folder])
  if (status === 0) return folder
  rmSync(folder, { recursive: true })
  return undefined
}

const unmount = (folder: string) => {
  // Also while a process that was just killed still has a file open there.
  spawnSync("umount", ["--lazy", folder])
  rmSync(folder, { recursive: true, force: true })
}

const writeAll = (filename: string) => {
  const file = openSync(filename, "a")
  try {
    for (let size = 1024 * 1024; size >= 1; size = Math.floor(size / 2)) {
      try {
        while (writeSync(file, Buffer.alloc(size)) === size) {}
      } catch {
        // Full for this size.
      }
    }
  } finally {
    closeSync(file)
  }
}

/** Why there is none here, if so: only a superuser may mount one. */
export const missing = (() => {
  const folder = mounted()
  if (folder === undefined) return "needs the right to mount a file system"
  unmount(folder)
  return undefined
})()

export const make = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mounted() ?? ""),
    (folder) => Effect.sync(() => unmount(folder))
  ),
  (folder): SmallDisk => ({
    filename: join(folder, "log.db"),
    fill: Effect.sync(() => writeAll(join(folder, "filler"))),
    free: Effect.sync(() => rmSync(join(folder, "filler")))
  })
)
