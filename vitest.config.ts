import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { alias } from "./test/docs/Doors.ts"

/** `.ci/run` counts from this file; a person needs none. */
const report = process.env["SLUICE_TEST_REPORT"]

const neverTests = ["**/node_modules/**", "**/dist/**", "test/architecture/fixture/**"]

/** Tests that start processes: one file after the other, after all quick tests, so that nothing else takes their time. */
const ofProcesses = (name: string, include: Array<string>, order: number) => ({
  extends: true as const,
  test: {
    name,
    include,
    exclude: neverTests,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    sequence: { groupOrder: order }
  }
})

/** All tests but those of browsers and proxies, which have a `vitest.config.ts` in their own folders. */
export default defineConfig({
  resolve: { alias },
  test: {
    pool: "forks",
    // By itself it leaves a core to the person at the machine, and so has one where there are two.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    minWorkers: 1,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A test that hangs on its way out must not hang the run.
    teardownTimeout: 10_000,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    projects: [
      {
        extends: true,
        test: {
          name: "quick",
          include: ["test/**/*.test.ts", "docs/examples/**/*.test.ts"],
          exclude: [
            ...neverTests,
            "test/browser/**",
            "test/proxy/**",
            "test/scenarios/**",
            "test/cli/**",
            "test/process/**",
            "test/docs/Readme.test.ts"
          ]
        }
      },
      ofProcesses(
        "scenarios",
        ["test/process/**/*.test.ts", "test/scenarios/**/*.test.ts", "test/cli/**/*.test.ts"],
        1
      ),
      ofProcesses("docs", ["test/docs/Readme.test.ts"], 2)
    ]
  }
})
