import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** Runs an example that names the package as its users do, from source: no build is needed first. */
export default defineConfig({
  resolve: { alias: { "sluice/backend": fileURLToPath(new URL("../../src/backend/index.ts", import.meta.url)) } }
})
