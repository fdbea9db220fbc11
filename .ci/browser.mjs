/**
 * Runs a command that needs a browser, with `CHROME_BIN` set to the one that is here; where there is none, Debian's apt
 * brings Chromium first.
 *
 *   node .ci/browser.mjs vitest run --config test/browser/vitest.config.ts
 */
import { spawnSync } from "node:child_process"
import { delimiter, join } from "node:path"
import { accessSync, constants } from "node:fs"

const names = [process.env.CHROME_BIN, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

const isProgram = (file) => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const find = () => {
  const folders = (process.env.PATH ?? "").split(delimiter)
  const files = names
    .filter(Boolean)
    .flatMap((name) => (name.includes("/") ? [name] : folders.map((folder) => join(folder, name))))
  return files.find(isProgram)
}

const apt = (...args) => {
  const command = ["apt-get", ...args]
  const [name, ...rest] = process.getuid?.() === 0 ? command : ["sudo", "-n", ...command]
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  return spawnSync(name, rest, { stdio: ["ignore", "ignore", "inherit"], env }).status === 0
}

if (find() === undefined) {
  process.stderr.write("sluice: installing chromium\n")
  if (apt("update", "-qq")) apt("install", "-y", "-qq", "--no-install-recommends", "chromium")
}
const browser = find()
if (browser === undefined) {
  process.stderr.write(
    "sluice: there is no Chromium, and apt did not bring one; install it, or name one in CHROME_BIN\n"
  )
  process.exit(1)
}
const [command, ...args] = process.argv.slice(2)
const done = spawnSync(command, args, { stdio: "inherit", env: { ...process.env, CHROME_BIN: browser } })
process.exit(done.status ?? 1)
