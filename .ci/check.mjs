/**
 * `npm run check`: every stage, also after one has failed, so that one run shows all there is to mend.
 *
 *   node .ci/check.mjs [--without STAGE]…
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const stages = {
  types: "types, and Effects that nobody runs",
  "format:check": "format",
  lint: "lint",
  rooms: "import rules of the rooms",
  dead: "dead code, unused packages",
  size: "what the browser's client weighs",
  test: "tests, and the commands in README.md and docs/"
}

const args = process.argv.slice(2)
const without = args.filter((_, index) => args[index - 1] === "--without")
const npm = (...rest) =>
  spawnSync("npm", ["run", "--silent", ...rest], { stdio: "inherit", shell: process.platform === "win32" }).status === 0

const ready = spawnSync(process.execPath, [fileURLToPath(new URL("ready.mjs", import.meta.url)), "install"], {
  stdio: "inherit"
})
if (ready.status !== 0) process.exit(1)

const failed = []
for (const [stage, meaning] of Object.entries(stages)) {
  if (without.includes(stage)) continue
  const start = performance.now()
  if (!npm(stage)) failed.push(stage)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${failed.includes(stage) ? "✗" : "✓"} ${stage}: ${meaning} (${seconds} s)`)
}
if (failed.length > 0) {
  console.log(`\nfailed: ${failed.map((stage) => `npm run ${stage}`).join(", ")}`)
  process.exitCode = 1
}
