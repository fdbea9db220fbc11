/**
 * `npm run size`: what the browser's client weighs in a page, in bytes after gzip, when a bundler takes one name from the
 * door, and as the whole that the server has at `/client.js`.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { buildSync } from "esbuild"

const limits = { connect: 6144, FrameDecoder: 1536 }

const weigh = (bytes) => gzipSync(bytes, { level: 9 }).length

/** `undefined`: it could not be bundled, and esbuild has said why. */
const weighBundle = (name) => {
  try {
    const { outputFiles } = buildSync({
      stdin: {
        contents: `export { ${name} } from "sluice/client"`,
        resolveDir: fileURLToPath(new URL("..", import.meta.url))
      },
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      write: false
    })
    return weigh(outputFiles[0].contents)
  } catch {
    return undefined
  }
}

const grouped = (number) => number.toLocaleString("en-US")

for (const [name, limit] of Object.entries(limits)) {
  const weight = weighBundle(name)
  const isWithin = weight !== undefined && weight <= limit
  const says = weight === undefined ? "no bundle" : `${grouped(weight)} bytes`
  console.log(`${isWithin ? "✓" : "✗"} ${name}: ${says}, at most ${grouped(limit)}`)
  if (!isWithin) process.exitCode = 1
}
const whole = readFileSync(createRequire(import.meta.url).resolve("sluice/client.js"))
console.log(`  /client.js: ${grouped(weigh(whole))} bytes (${grouped(whole.length)} before gzip)`)
