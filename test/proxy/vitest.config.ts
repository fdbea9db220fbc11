import { defineConfig } from "vitest/config"

const report = process.env["SLUICE_TEST_REPORT"]

/** Tests that need nginx, HAProxy and a browser: `npm run test:proxy`. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    pool: "forks",
    include: ["test/proxy/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 45_000,
    hookTimeout: 45_000,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]]
  }
})
