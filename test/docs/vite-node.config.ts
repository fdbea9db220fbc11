import { defineConfig } from "vitest/config"
import { alias } from "./Doors.ts"

/** Runs an example that names the package as its users do. */
export default defineConfig({ resolve: { alias } })
