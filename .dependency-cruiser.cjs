/**
 * The rooms of `src/` and what each may import: itself and the rooms on its right, nothing else. `npm run rooms` holds the
 * code to it; `test/architecture/` shows that every rule here bites. The picture and its reasons: docs/architecture.md.
 */
const table = {
  protocol: "",
  domain: "protocol",
  telemetry: "domain",
  store: "protocol domain telemetry",
  process: "domain telemetry",
  callback: "protocol domain telemetry store",
  session: "protocol domain telemetry store process",
  connection: "protocol domain telemetry store session",
  gateway: "protocol domain telemetry store callback connection",
  backend: "protocol domain store callback gateway",
  http: "protocol domain telemetry store callback session connection gateway backend",
  server: "protocol domain telemetry store process callback session connection gateway backend http",
  client: "protocol", // and `domain`, from client/effect only: see `client-without-domain`
  testing: "protocol domain telemetry store process callback session connection gateway backend http server client",
  cli: "protocol domain server client"
}

const rooms = Object.entries(table).map(([room, below]) => [room, below.split(" ").filter((name) => name !== "")])

/** The only files called `index.ts`: what the package exports. */
const doors = ["index", "server/index", "backend/index", "client/index", "client/effect/index", "testing/index"].map(
  (door) => `^src/${door}\\.ts$`
)

/** Whatever is not a file of ours: packages, and what Node brings along. */
const packages = { dependencyTypesNot: ["local", "localmodule"], pathNot: ["^src/"] }

/** Matches a module for what it is, also one that imports nothing (100 is the most that the tool takes). */
const everyModule = { numberOfDependentsLessThan: 100 }

const error = (name, comment, rule) => ({ severity: "error", name, comment, ...rule })

const roomRules = rooms.map(([room, below]) =>
  error(`room-${room}`, `${room} may import ${["itself", ...below].join(", ")}`, {
    from: { path: `^src/${room}/` },
    to: {
      path: "^src/",
      // The client's one exception has a rule of its own.
      pathNot: [room, ...below, ...(room === "client" ? ["domain"] : [])].map((allowed) => `^src/${allowed}/`)
    }
  })
)

module.exports = {
  forbidden: [
    ...roomRules,
    error("room-root", "src/index.ts holds what both sides share: domain", {
      from: { path: "^src/index\\.ts$" },
      to: { path: "^src/", pathNot: ["^src/domain/"] }
    }),
    error("room-unknown", "every file of src/ is in a room of the table", {
      from: {},
      module: {
        path: "^src/",
        pathNot: ["^src/index\\.ts$", `^src/(${Object.keys(table).join("|")})/`],
        ...everyModule
      }
    }),
    error("client-without-domain", "only client/effect speaks in the domain's values: a browser must not load Effect", {
      from: { path: "^src/client/", pathNot: ["^src/client/effect/"] },
      to: { path: "^src/domain/" }
    }),
    error("no-cycle", "calls go down, events come up", { from: {}, to: { circular: true } }),
    error("door-stray", "an index.ts only at the six doors", {
      from: {},
      module: { path: "(^|/)index\\.[cm]?[jt]sx?$", pathNot: [...doors, "(^|/)node_modules/"], ...everyModule }
    }),
    error("door-inside", "inside src/ import the file itself: a door drags in all that is behind it", {
      from: { path: "^src/" },
      to: { path: "^src/(.*/|)index[.]ts$" }
    }),
    error("src-alone", "src/ imports nothing of this checkout but itself", {
      from: { path: "^src/" },
      to: { path: "^(test|docs|dist|\\.ci)/" }
    }),
    error("protocol-alone", "the wire runs anywhere: no package, nothing of Node", {
      from: { path: "^src/protocol/" },
      to: packages
    }),
    error("client-alone", "the browser's client has no dependency; client/effect has Effect's", {
      from: { path: "^src/client/", pathNot: ["^src/client/effect/"] },
      to: packages
    }),
    error("domain-pure", "values and laws: `effect`, nothing of a server, a store or Node", {
      from: { path: "^src/domain/", pathNot: ["^src/domain/Api[^/]*\\.ts$"] },
      to: { ...packages, pathNot: [...packages.pathNot, "(^|/)node_modules/effect/"] }
    }),
    error("domain-api", "the routes as data: `effect` and `@effect/platform`", {
      from: { path: "^src/domain/Api[^/]*\\.ts$" },
      to: { ...packages, pathNot: [...packages.pathNot, "(^|/)node_modules/(effect|@effect/platform)/"] }
    }),
    error("unresolved", "an import that leads nowhere", { from: {}, to: { couldNotResolve: true } })
  ],
  options: {
    doNotFollow: { path: ["node_modules"] },
    // A type names the room above it as well as a call does.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] }
  }
}
