import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Append from "../../src/cli/append.ts"
import type { CommandError } from "../../src/cli/CommandError.ts"
import * as Serve from "../../src/cli/serve.ts"
import * as Tail from "../../src/cli/tail.ts"
import * as Command from "./Command.ts"

const badSettings = [
  ["PORT", "99999", "1 to 65535, or 0 for any free port"],
  ["HEARTBEAT_INTERVAL_SECONDS", "0", "a whole number from 1 to 86400"],
  ["SLUICE_STORE", "mysql:x", "sqlite:PATH or memory:"],
  ["CALLBACK_URL", "nowhere", "an http or https URL"],
  ["SLUICE_DURABILITY", "maybe", "power or process"],
  ["HOST", "0.0.0.0", "an address that is not loopback needs SLUICE_API_KEY, or --insecure"]
] as const

type Misuse = readonly [command: string, args: ReadonlyArray<string>, line: string]

const misuses: ReadonlyArray<Misuse> = [
  ["serve", ["--nope"], "Unknown option '--nope'"],
  ["serve", ["--port"], "Option '--port <value>' argument missing"],
  ["serve", ["now"], `serve takes no argument "now"`],
  ["append", [], "SESSION is missing"],
  ["append", ["a b"], `SESSION "a b" must be 1 to 128 of A-Z a-z 0-9 . _ ~ : -`],
  ["append", ["a", "--batch", "1001"], "--batch 1001 is not allowed: a whole number from 1 to 1000"],
  ["append", ["a", "--name", "sluice.x"], "--name must not start with sluice."],
  ["append", ["a", "--ndjson", "--name", "x"], "--name is not for --ndjson: each line has its own"],
  ["tail", ["a", "b"], `one SESSION only, not also "b"`],
  ["tail", ["a", "--from", "middle"], "--from middle is not allowed: start or head"],
  ["tail", ["a", "--cursor", "x"], "--cursor x is not allowed: EPOCH.SEQ"],
  ["tail", ["a", "--url", "ftp://x"], "--url ftp://x is not allowed: an http or https URL"],
  ["tail", ["a", "--key", "two words"], "the key is not allowed: visible characters only"]
]

const commands: Readonly<Record<string, (args: ReadonlyArray<string>) => Effect.Effect<number, CommandError>>> = {
  serve: Serve.run,
  append: Append.run,
  tail: Tail.run
}

describe("sluice", () => {
  it.live("does not start with a bad value: one line with name, value and what is allowed, exit code 1 (S151)", () =>
    Effect.gen(function* () {
      const outcomes = yield* Effect.forEach(
        badSettings,
        ([name, value]) => Command.run(["serve"], { [name]: value }),
        {
          concurrency: 3
        }
      )
      const expected = badSettings.map(([name, value, allowed]) => ({
        code: 1,
        out: "",
        err: `sluice: ${name}=${value} is not allowed: ${allowed}\n`
      }))
      assert.deepEqual(outcomes, expected)
    })
  )

  for (const [name, args, line] of misuses) {
    it.effect(`says what is wrong with "sluice ${[name, ...args].join(" ")}", and how it is used`, () =>
      Effect.gen(function* () {
        const run = commands[name] ?? assert.fail(name)
        const error = yield* Effect.flip(run(args))
        assert.equal(error.line, line)
        assert.equal(error.exitCode, 1)
        assert.match(error.usage ?? "", new RegExp(`^usage: sluice \\[?${name}\\]? `))
      })
    )
  }

  it.live("says what it can do when it is asked, or told something that it cannot", () =>
    Effect.gen(function* () {
      const [unknown, help, version, flag] = yield* Effect.all(
        [
          Command.run(["toString"]),
          Command.run(["tail", "--help"]),
          Command.run(["--version"]),
          Command.run(["--port", "many"], { PORT: "3000" })
        ],
        { concurrency: 2 }
      )
      assert.match(unknown.err, /^sluice: there is no command "toString"\nusage: sluice \[serve\] /)
      assert.equal(unknown.code, 1)
      assert.deepEqual(help, { code: 0, out: `${Tail.usage}\n`, err: "" })
      assert.deepEqual(version, { code: 0, out: "0.1.0\n", err: "" })
      assert.equal(flag.err, "sluice: PORT=many is not allowed: 1 to 65535, or 0 for any free port\n")
    })
  )
})
