import { Effect } from "effect"
import { MemoryRetainedStore } from "sluice/backend"
import { OneProcess, ServerConfig } from "sluice/server"

/** Gateway and application together: callbacks and sends are calls. It has `Listening`, and all services of both. */
export const layer = OneProcess.layer(ServerConfig.inMemory, {
  versions: { current: Effect.succeed({ version: "1.2.3" }) },
  retained: MemoryRetainedStore.layer
})
