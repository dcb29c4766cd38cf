import { createServer } from 'node:net'

export interface HeldPort {
  port: number
  /** Resolves when anybody may listen there again. */
  release(): Promise<void>
}

/**
 * A port that is taken until it is released. Rejects with EADDRINUSE where another has it. A foreign process may connect: its
 * socket is destroyed, because one that nobody reads never ends, and the server then never closes.
 */
export async function holdPort(port = 0): Promise<HeldPort> {
  const server = createServer((socket) => socket.on('error', () => {}).destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as { port: number }).port,
    release: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** A port of this machine on which nobody listens. */
export async function deadPort(): Promise<number> {
  const { port, release } = await holdPort()
  await release()
  return port
}
