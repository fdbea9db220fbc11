/**
 * Requests to one backend over sockets that are kept (hot path), each written at most once.
 *
 * A backend closes a socket that was idle for long enough, and its word may still be on the way when a request is written
 * there. Such a request dies without an answer, and nobody can tell whether it was read, so a POST must not be repeated.
 * What keeps connects out of that trap:
 * 1. An idle socket is given up after 1 s, before any server in common use does it (gunicorn 2 s; Node, Apache, uvicorn
 *    5 s). Where the backend says how long it waits (`Keep-Alive: timeout=5`), 1 s before that.
 * 2. A close that has arrived is seen before the socket is used: a request is handed to undici in the check phase of the
 *    event loop, undici writes to a socket that was idle in the next one, and all arrivals are read in between.
 * 3. What fails before its first byte is written was not sent, whatever the error, and may be tried on another socket.
 * There remains a close that crosses the request on the wire: `mayHaveAccepted`.
 */
import { type Duration, Effect, type Scope } from "effect"
import { EventLoop } from "../store/EventLoop.ts"
import { type Answer, BackendCall, type Owner } from "./BackendCall.ts"
import type { CallbackError } from "./Callbacks.ts"
import * as TimeLimit from "./TimeLimit.ts"
import { Transport } from "./Transport.ts"

export interface Options {
  /**
   * Requests at a time, each on a socket of its own. The rest wait here, in order, so that a herd of clients does not overrun
   * the backend's queue of new sockets (511 in Node). A semaphore would wake all that wait for each that leaves: with it,
   * 1,000 clients that left at once cost 7 s.
   */
  readonly sockets: number
  /** The time limit begins when a request is sent: nobody waits for its answer. */
  readonly isPatient: boolean
}

export interface BackendPool {
  /** Sends one POST. Fails at the time limit, over head and body together; broken off then, and when interrupted. */
  readonly post: (headers: Array<string>, body: string) => Effect.Effect<Answer, CallbackError>
}

export const make = (
  url: URL,
  timeout: Duration.Duration,
  { isPatient, sockets }: Options
): Effect.Effect<BackendPool, never, Scope.Scope> =>
  Effect.gen(function* () {
    const transport = yield* Transport
    const { immediate } = yield* EventLoop
    let isReachable = false
    const reached = (isNow: boolean) => {
      isReachable = isNow
    }
    const carrier = yield* transport.open(url.origin, { sockets, timeout, reached })
    const limit = yield* TimeLimit.make(timeout)
    const path = `${url.pathname}${url.search}`
    const waiting = new Set<BackendCall>()
    let busy = 0
    const limits = new Map<BackendCall, TimeLimit.Limited>()

    const begin = (call: BackendCall): void => {
      const limited = {
        expire: () => {
          limits.delete(call)
          waiting.delete(call)
          call.expire(isReachable)
        }
      }
      limits.set(call, limited)
      limit.begin(limited)
    }

    const end = (call: BackendCall): void => {
      const limited = limits.get(call)
      if (limited === undefined) return
      limits.delete(call)
      limit.end(limited)
    }

    const dispatch = (call: BackendCall): void => {
      if (call.isOver) owner.left()
      else carrier.dispatch(path, call.headers, call.body, call)
    }

    const start = (call: BackendCall): void => {
      busy += 1
      if (isPatient) begin(call)
      immediate(() => dispatch(call))
    }

    const owner: Owner = {
      again: (call) => {
        immediate(() => dispatch(call))
      },
      left: () => {
        busy -= 1
        const [next] = waiting
        if (next === undefined) return
        waiting.delete(next)
        start(next)
      }
    }

    return {
      post: (headers, body) =>
        Effect.async<Answer, CallbackError>((resume) => {
          const call = new BackendCall(headers, body, owner)
          call.onDone = (outcome) => {
            end(call)
            resume(outcome)
          }
          if (!isPatient) begin(call)
          if (busy < sockets) start(call)
          else waiting.add(call)
          return Effect.sync(() => {
            end(call)
            waiting.delete(call)
            call.breakOff()
          })
        })
    }
  })
