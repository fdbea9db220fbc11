import { fileURLToPath } from "node:url"

const door = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))

/** The package as its users name it, from source: no build is needed first. The first that fits counts, and a name fits what is below it, too. */
export const alias = {
  "sluice/backend": door("backend/index.ts"),
  "sluice/server": door("server/index.ts"),
  "sluice/testing": door("testing/index.ts"),
  sluice: door("index.ts")
}
