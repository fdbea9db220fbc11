import { defineConfig } from "vitest/config"

const report = process.env["SLUICE_TEST_REPORT"]

/** Tests that need a browser: `npm run test:browser`, which finds one, or installs it, and names it in `CHROME_BIN`. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    pool: "forks",
    include: ["test/browser/**/*.test.ts"],
    // They wait more than they work.
    poolOptions: { forks: { maxForks: 2 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]]
  }
})
