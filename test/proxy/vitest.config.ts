import { defineConfig } from "vitest/config"

const report = process.env["SLUICE_TEST_REPORT"]

/** Tests that need nginx, HAProxy and a browser: `npm run test:proxy`. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    pool: "forks",
    include: ["test/proxy/**/*.test.ts"],
    // They wait for most of their time: for heartbeats, for what a proxy tries again.
    poolOptions: { forks: { maxForks: 3, minForks: 1 } },
    testTimeout: 45_000,
    hookTimeout: 45_000,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]]
  }
})
