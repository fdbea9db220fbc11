import * as Net from "node:net"
import { Effect } from "effect"

/** A proxy that breaks connections off in the middle of a byte sequence, as networks do. */
export interface CuttingProxy {
  readonly url: string
  readonly cuts: () => number
}

/** Each connection is cut when so many bytes of the server's have passed, as `next` says for it. */
export const make = (target: string, next: () => number) =>
  Effect.gen(function* () {
    const sockets = new Set<Net.Socket>()
    const keep = (socket: Net.Socket) => {
      sockets.add(socket)
      return socket.on("error", () => {}).on("close", () => sockets.delete(socket))
    }
    let cuts = 0

    const join = (client: Net.Socket) => {
      const server = keep(Net.connect(Number(new URL(target).port), new URL(target).hostname))
      let left = next()
      client.on("data", (bytes) => server.write(bytes))
      client.on("close", () => server.destroy())
      server.on("close", () => client.destroySoon())
      server.on("data", (bytes) => {
        if (bytes.length < left) {
          left -= bytes.length
          client.write(bytes)
          return
        }
        cuts += 1
        client.write(bytes.subarray(0, left))
        client.destroySoon()
        server.destroy()
      })
    }

    const proxy = yield* Effect.acquireRelease(
      Effect.async<Net.Server>((resume) => {
        const proxy = Net.createServer((client) => join(keep(client)))
        proxy.listen(0, "127.0.0.1", () => resume(Effect.succeed(proxy)))
      }),
      (proxy) =>
        Effect.sync(() => {
          proxy.close()
          for (const socket of sockets) socket.destroy()
        })
    )
    const address = proxy.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const cutting: CuttingProxy = { url: `http://127.0.0.1:${port}`, cuts: () => cuts }
    return cutting
  })
