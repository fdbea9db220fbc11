import { broadcastContract } from "./gateway/BroadcastContract.ts"
import { closeContract } from "./gateway/CloseContract.ts"
import type { Rule } from "./gateway/Rule.ts"
import { sendContract } from "./gateway/SendContract.ts"

/**
 * What every `Gateway` does, one sentence each. Knows no test runner: loop over it in yours, one after the other, all with the
 * same server if you like; `GatewayClients.layer` are its clients and its backend.
 */
export const gatewayContract: ReadonlyArray<Rule> = [...sendContract, ...closeContract, ...broadcastContract]
