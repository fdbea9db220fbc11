#!/usr/bin/env node
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as Serve from "./serve.ts"

const usage = `usage: sluice [serve] [flags]`

const [, , first = "serve", ...rest] = process.argv
const command = first.startsWith("-") ? "serve" : first
const args = first.startsWith("-") ? [first, ...rest] : rest

const program =
  command === "serve"
    ? Serve.run(args)
    : Effect.as(
        Effect.sync(() => console.error(usage)),
        1
      )

NodeRuntime.runMain(
  Effect.flatMap(program, (code) =>
    Effect.sync(() => {
      process.exitCode = code
    })
  ),
  { disableErrorReporting: true, disablePrettyLogger: true }
)
