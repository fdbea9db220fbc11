/**
 * Makes a checkout ready to run: installs what is missing, builds what has changed. `npm start`, `npm test` and the rest
 * call it first, so that one command is enough on a fresh clone. Plain Node: nothing is installed yet when it runs.
 *
 *   node .ci/ready.mjs           install and build, each only when needed
 *   node .ci/ready.mjs install   install only
 *   node .ci/ready.mjs build     install when needed, build always
 *   node .ci/ready.mjs bench     the same as the first, and compile the benchmarks
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { chmodSync, cpSync, existsSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

const say = (line) => process.stderr.write(`sluice: ${line}\n`)

const stop = (line) => {
  say(line)
  process.exit(1)
}

/** Quiet while it works; everything it said when it does not. */
const run = (command, args, env = {}) => {
  const done = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === "win32" && command === "npm" // npm is a script there
  })
  if (done.status === 0) return true
  process.stderr.write(`${done.stdout ?? ""}${done.stderr ?? ""}${done.error ? `${done.error.message}\n` : ""}`)
  return false
}

const [major, minor] = process.versions.node.split(".").map(Number)
if (major < 20 || (major === 20 && minor < 19)) stop(`needs Node 20.19 or newer, this is ${process.versions.node}`)

const packagesOf = (file) => (existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")).packages ?? {}) : {})

/** npm writes its inner lock file last, so that an install which was broken off has none. */
const isInstalled = () => {
  const installed = packagesOf("node_modules/.package-lock.json")
  return Object.entries(packagesOf("package-lock.json")).every(
    ([path, wanted]) => path === "" || wanted.optional || installed[path]?.version === wanted.version
  )
}

/** The one native module: not there after `--ignore-scripts`, of no use after a change of Node's major version. */
const sqliteOpens = () => {
  try {
    const Database = createRequire(join(root, "package.json"))("better-sqlite3")
    new Database(":memory:").close()
    return true
  } catch {
    return false
  }
}

/** Where a prebuilt SQLite cannot be fetched it is compiled; the headers that Node came with spare another download. */
const headers = () => {
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, "include/node/node.h")) ? { npm_config_nodedir: prefix } : {}
}

const install = () => {
  // A production environment leaves the compiler out, and scripts that are switched off leave SQLite out.
  const options = ["--include=dev", "--ignore-scripts=false", "--no-audit", "--no-fund", "--loglevel=error"]
  if (!isInstalled()) {
    say("installing packages (first start only, up to a minute)")
    if (!run("npm", ["ci", ...options], headers())) stop("the install failed; `npm ci` shows it again")
  }
  if (!sqliteOpens()) {
    say("building SQLite for this Node")
    const built = run("npm", ["rebuild", "better-sqlite3", ...options], headers())
    if (!built) stop("better-sqlite3 could neither be fetched nor compiled (that needs python3, make and g++)")
  }
}

const filesBelow = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]
  )

const sourceHash = () => {
  const hash = createHash("sha256")
  for (const file of ["package-lock.json", "tsconfig.json", ".ci/ready.mjs", ...filesBelow("src").sort()]) {
    hash.update(`${file}\0`).update(readFileSync(file)).update("\0")
  }
  return hash.digest("hex")
}

const fail = (target, line) => {
  rmSync(target, { recursive: true, force: true })
  stop(line)
}

/** Compiles a project, and puts what else lies in `src/` (a page, a schema) where its compiled neighbour looks for it. */
const compile = (project, target, source) => {
  rmSync(target, { recursive: true, force: true })
  const tsc = createRequire(join(root, "package.json")).resolve("typescript/bin/tsc")
  if (!run(process.execPath, [tsc, "-p", project, "--outDir", target, "--noEmitOnError"])) {
    fail(target, "the build failed")
  }
  for (const file of filesBelow("src")) {
    if (!file.endsWith(".ts")) cpSync(file, join(target, source, relative("src", file)))
  }
}

/**
 * The client's door as one file, for a page without a bundler. Packages stay imports, so that one shows here and not in a
 * page, which could not load it.
 */
const bundle = (target) => {
  const { buildSync } = createRequire(join(root, "package.json"))("esbuild")
  const { metafile } = buildSync({
    entryPoints: [join(target, "client/index.js")],
    outfile: join(target, "client/sluice-client.js"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    packages: "external",
    metafile: true
  })
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path))
  if (imports.length > 0) fail(target, `the client must import nothing, but imports ${imports.join(", ")}`)
}

const stamp = "dist/.built-from"

const build = (always) => {
  const hash = sourceHash()
  if (!always && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return
  say("building")
  // Beside the old build, which stays whole when this one fails.
  const next = `node_modules/.cache/sluice-build-${process.pid}`
  compile(".", next, "")
  bundle(next)
  writeFileSync(join(next, ".built-from"), hash)
  rmSync("dist", { recursive: true, force: true })
  cpSync(next, "dist", { recursive: true }) // a rename fails where node_modules is another file system
  rmSync(next, { recursive: true })
  // `npx sluice` in the checkout: what npx links for itself is not executable any more after the next build.
  chmodSync("dist/cli/main.js", 0o755)
  rmSync("node_modules/.bin/sluice", { force: true })
  if (process.platform !== "win32") symlinkSync("../../dist/cli/main.js", "node_modules/.bin/sluice")
}

const tasks = {
  ready: () => build(false),
  install: () => undefined,
  build: () => build(true),
  bench: () => {
    build(false)
    compile("test/bench", "test/bench/dist", "src")
  }
}

const task = tasks[process.argv[2] ?? "ready"] ?? stop(`does not know "${process.argv[2]}"`)
install()
task()
