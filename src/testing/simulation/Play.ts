import { Duration } from "effect"
import * as Commands from "./Commands.ts"
import { Cast } from "./Cast.ts"
import { sessions } from "./Sessions.ts"
import * as Promises from "./Promises.ts"
import { type Options, World } from "./World.ts"

export interface Played {
  readonly broken: Promises.Broken
  /** Lines of what happened, with the milliseconds since the begin. */
  readonly trace: ReadonlyArray<string>
  /** Steps of all servers together. */
  readonly steps: number
}

const keeping: Readonly<Record<Commands.Keeping, Options>> = {
  all: {},
  some: { retainEvents: 6 },
  young: { retainFor: Duration.seconds(20) }
}

/** Longer than anything in the server waits before it tries again. */
const patience = 70_000

/** Plays a story; then nothing hinders anybody any more, and all promises must be kept. */
export const play = (
  seed: number,
  story: Commands.Story,
  options: Options & { readonly isTraced?: boolean } = {}
): Played => {
  const world = new World(seed, { ...keeping[story.keeping], ...options })
  world.isTraced = options.isTraced ?? false
  const cast = new Cast(world)
  const broken: Array<string> = []
  world.start()
  for (const { command, steps } of story.scenes) {
    Commands.perform(cast, command)
    world.steps(steps)
    broken.push(...Promises.bounded(cast))
  }
  broken.push(...ending(cast))
  world.crash(1)
  return { broken, trace: world.trace, steps: world.ran }
}

const up = (world: World): void => {
  for (let tries = 0; tries < 3 && world.rooms === undefined; tries++) {
    if (world.state === "down") world.start()
    world.pass(15_000)
  }
}

function* ending(cast: Cast): Iterable<string> {
  const { world } = cast
  world.disk.refuse(0)
  world.backend.connects = "accepts"
  world.backend.others = "accepts"
  up(world)
  for (const reader of cast.readers) reader.socket.resume()
  world.pass(patience)
  yield* Promises.caughtUp(cast)
  for (const reader of [...cast.readers, ...cast.former].slice(0, 6)) cast.return(reader)
  for (const session of Object.values(sessions)) cast.open([session], false, true)
  world.pass(10_000)
  yield* Promises.caughtUp(cast)
  for (const reader of [...cast.readers]) cast.lose(reader)
  for (const guest of cast.guests.guests) guest.leave()
  cast.work.stop()
  world.pass(patience * 2)
  yield* Promises.nothingLeft(cast)
  yield* Promises.kept(cast)
}
