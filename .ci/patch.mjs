/**
 * Teaches this checkout's `tsc` Effect's own errors, above all an Effect that nobody runs, which no other tool sees.
 * Takes 12 s, so it is done once per install, and not in `prepare`: who only wants to start a server need not wait for it.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

const require = createRequire(import.meta.url)
const { version } = require("@effect/language-service/package.json")
const isPatched = ["_tsc.js", "typescript.js"].every((file) =>
  readFileSync(require.resolve(`typescript/lib/${file}`), "utf8").includes(`effect-lsp-patch-version ${version}`)
)

if (!isPatched) {
  const done = spawnSync(process.execPath, [require.resolve("@effect/language-service/cli.js"), "patch"], {
    encoding: "utf8"
  })
  if (done.status !== 0) process.stderr.write(`${done.stdout}${done.stderr}`)
  process.exitCode = done.status ?? 1
}
