/**
 * A server without a network, a disk, or time of its own: what happens in it, and when, is decided by one seed, so that a fault
 * that was found once is found again by its seed, as often as it takes to understand it.
 *
 * - `run(seed, effect)` plays an effect of your own, over layers of your own: fibers wake in an order that the seed chooses,
 *   and time moves when nothing else can. A thousand seeds are a thousand orders, in a second.
 * - `search({ runs, seed })` plays whole servers (`World`): all rooms below HTTP are the real ones. Clients come, stall and
 *   leave (`Commands`), the disk refuses, power goes with or without what was not synced, the backend says no, hangs or breaks
 *   off; then nothing hinders anybody any more, and all promises of docs/architecture.md section 3 must be kept (`Promises`).
 *   A fault has a `seed` and a `path`: `search({ runs: 1, seed, path })` plays that world again, step by step the same.
 *
 * Nothing in a simulation waits: it takes one processor, and no timer, promise or port of the machine.
 */
export { Chance } from "./Chance.ts"
export type { Command, Keeping, Scene, Story } from "./Commands.ts"
export { play, type Played } from "./Play.ts"
export { began, run } from "./Run.ts"
export { type Fault, type Search, search } from "./Search.ts"
export { SeededScheduler } from "./SeededScheduler.ts"
export { SimulatedBackend } from "./SimulatedBackend.ts"
export { SimulatedClock } from "./SimulatedClock.ts"
export { SimulatedDisk } from "./SimulatedDisk.ts"
export { type Options, type Rooms, type Stores, World } from "./World.ts"
