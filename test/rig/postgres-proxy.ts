import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Rig } from './rig.ts'

/**
 * A way to the Postgres of `url` that a test makes slow, cuts, or pauses. Each query of pg is one write, and so waits once.
 */
export async function openPostgresProxy(rig: Rig, url: string) {
  const real = new URL(url.replace('@/', '@localhost/'))
  const directory = real.searchParams.get('host')
  const port = Number(real.searchParams.get('port') ?? (real.port || 5432))
  const reach = () => (directory ? connect(`${directory}/.s.PGSQL.${port}`) : connect(port, real.hostname))
  const open = new Set<Socket>()
  let delayMs = 0
  let isCut = false
  let paused: PromiseWithResolvers<void> | undefined

  const carry = (from: Socket, to: Socket, wait: () => Promise<unknown> | undefined) => {
    let last = Promise.resolve()
    from.on('data', (bytes) => {
      // in order, however long each waits
      last = last.then(wait).then(() => void to.write(bytes))
    })
    from.on('error', () => {})
    from.on('close', () => {
      open.delete(from)
      to.destroy()
    })
    open.add(from)
  }
  const server = createServer((client) => {
    if (isCut) return client.destroy()
    const postgres = reach()
    carry(client, postgres, () => paused?.promise ?? (delayMs > 0 ? sleep(delayMs) : undefined))
    carry(postgres, client, () => paused?.promise)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  rig.defer(() => {
    paused?.resolve()
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  const { port: here } = server.address() as AddressInfo
  const login = real.username + (real.password && `:${real.password}`)
  return {
    url: `postgresql://${login}@127.0.0.1:${here}${real.pathname}?sslmode=disable`,
    /** Each query takes so much longer. */
    slow(ms: number) {
      delayMs = ms
    },
    /** Closes every connection, and new ones at once. */
    cut() {
      isCut = true
      for (const socket of open) socket.destroy()
    },
    /** Answers nothing, and closes nothing. */
    pause() {
      paused = Promise.withResolvers()
    },
    /** As it was. */
    heal() {
      delayMs = 0
      isCut = false
      paused?.resolve()
      paused = undefined
    },
  }
}
