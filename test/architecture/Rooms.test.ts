import { execFile } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(dirname(here))
const cruiser = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs")

interface Violation {
  readonly rule: { readonly name: string }
  readonly from: string
  readonly to: string
}

/** `rule: from → to`, of the `src/` below `folder`; a rule about a file itself has no `to`. */
const violations = (folder: string) =>
  new Promise<ReadonlyArray<string>>((resolve, reject) => {
    const args = [cruiser, "--config", join(root, ".dependency-cruiser.cjs"), "--output-type", "json", "src"]
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (_, stdout, stderr) => {
      if (stdout === "") return reject(new Error(stderr))
      const found: ReadonlyArray<Violation> = JSON.parse(stdout).summary.violations
      resolve(
        found
          .map(({ rule, from, to }) => {
            const target = to.replace(/^.*node_modules\/((@[^/]+\/)?[^/]+)\/.*$/, "$1")
            return from === to ? `${rule.name}: ${from}` : `${rule.name}: ${from} → ${target}`
          })
          .sort()
      )
    })
  })

describe("the import rules of the rooms", () => {
  it("refuse every kind of wrong import, and nothing else", async () => {
    expect(await violations(join(here, "fixture"))).toEqual([
      "client-alone: src/client/core/Wrong.ts → effect",
      "client-without-domain: src/client/core/Wrong.ts → src/domain/Fine.ts",
      "domain-api: src/domain/ApiWrong.ts → @effect/platform-node",
      "domain-pure: src/domain/WrongPackage.ts → @effect/platform",
      "door-inside: src/server/WrongDoor.ts → src/server/index.ts",
      "door-stray: src/session/index.ts",
      "no-cycle: src/session/Chicken.ts → src/session/Egg.ts",
      "protocol-alone: src/protocol/WrongPackage.ts → crypto",
      "protocol-alone: src/protocol/WrongPackage.ts → effect",
      "room-http: src/http/Wrong.ts → src/process/Child.ts",
      "room-protocol: src/protocol/Wrong.ts → src/store/Log.ts",
      "room-root: src/index.ts → src/server/Wheel.ts",
      "room-store: src/store/WrongType.ts → src/session/Chicken.ts",
      "room-unknown: src/helpers/Stray.ts",
      "unresolved: src/server/Wheel.ts → ../process/Nowhere.ts"
    ])
  })

  it("hold in src/ (S163)", async () => {
    expect(await violations(root)).toEqual([])
  })
})
