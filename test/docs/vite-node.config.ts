import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const door = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))

/** Runs an example that names the package as its users do, from source: no build is needed first. */
export default defineConfig({
  resolve: {
    // The first that fits counts, and a name fits what is below it, too.
    alias: {
      "sluice/backend": door("backend/index.ts"),
      "sluice/server": door("server/index.ts"),
      sluice: door("index.ts")
    }
  }
})
