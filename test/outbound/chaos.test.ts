import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { PorteiroError } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import { migrate, openDatabase } from '../../src/platform/postgres/index.ts'
import { MIGRATIONS } from '../rig/database.ts'
import { ask, open, spoilable } from '../rig/embedded-server.ts'
import { hello, openOutbound } from '../rig/outbound-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('outbound chaos', { timeout: 240_000 })

const MESSAGES = Number(process.env['PORTEIRO_CHAOS_MESSAGES'] || 3000)
const PROCESS = fileURLToPath(new URL('process.ts', import.meta.url))

/** An HTTP peer that knows a message by its id, as a good receiver of webhooks does. */
async function openPeer(rig: Rig) {
  /** Requests by message. */
  const effects = new Map<string, number>()
  const waiting: { count: number; resolve: () => void }[] = []
  const server = createServer((request, response) => {
    const id = request.headers['webhook-id'] as string
    effects.set(id, (effects.get(id) ?? 0) + 1)
    request.resume()
    response.writeHead(204).end()
    for (const { count, resolve } of waiting) if (effects.size >= count) resolve()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  rig.defer(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    effects,
    reaches: (count: number) =>
      new Promise<void>((resolve) => {
        if (effects.size >= count) resolve()
        else waiting.push({ count, resolve })
      }),
  }
}

async function startWorkerProcess(rig: Rig, url: string, peer: string, node: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROCESS, url, peer, node], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = once(child, 'close')
  rig.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) child.stdin!.end()
    await gone
  })
  await once(child.stdout!, 'data')
  return child
}

test(`${MESSAGES} messages arrive, none twice in effect, through a killed worker, a killed backend and a restart of Postgres`, async (rig) => {
  const dataDir = await spoilable(rig)
  let server = await open(rig, dataDir)
  const { url } = server
  const database = await openDatabase({ url, dataDir, log: silentLog() })
  rig.defer(database.close)
  await migrate(database, { directory: MIGRATIONS })
  const outbound = await openOutbound(rig, { database, works: false })
  const peer = await openPeer(rig)
  const began = performance.now()
  const seconds = () => Math.round((performance.now() - began) / 100) / 10
  const figures: Record<string, number> = { messages: MESSAGES }

  // whoever enqueues has a key for each message and asks again when nobody heard
  const enqueue = async (at: number): Promise<void> => {
    const message = hello({
      tenantId: `tenant-${at % 20}`,
      to: `endpoint-${at % 50}`,
      idempotencyKey: `m-${at}`,
    })
    for (;;) {
      try {
        return void (await outbound.enqueue(message))
      } catch (error) {
        if (!(error instanceof PorteiroError) || error.code !== 'DATABASE_UNREACHABLE') throw error
        figures['enqueuesRepeated'] = (figures['enqueuesRepeated'] ?? 0) + 1
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }
  const enqueuing = (async () => {
    for (let at = 0; at < MESSAGES; at += 100)
      await Promise.all(Array.from({ length: Math.min(100, MESSAGES - at) }, (_, next) => enqueue(at + next)))
    figures['enqueuedSeconds'] = seconds()
  })()

  const workers = await Promise.all(
    ['one', 'two', 'three'].map((node) => startWorkerProcess(rig, url, peer.url, node)),
  )
  await peer.reaches(MESSAGES * 0.2)
  workers[0]!.kill('SIGKILL')
  figures['killedAt'] = peer.effects.size

  await peer.reaches(MESSAGES * 0.4)
  const killed = await ask(
    url,
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'porteiro' and pid <> pg_backend_pid()`,
  )
  figures['backendsKilled'] = killed.length
  figures['backendsKilledAt'] = peer.effects.size

  await peer.reaches(MESSAGES * 0.6)
  figures['restartedAt'] = peer.effects.size
  await server.close()
  server = await open(rig, dataDir)

  await enqueuing
  await peer.reaches(MESSAGES)
  figures['arrivedSeconds'] = seconds()
  const counts = await eventually(async () => {
    const rows = await database
      .query<{ status: string; count: number }>(
        'select status, count(*)::int as count from messages group by status',
      )
      .catch(() => [])
    return rows.length === 1 && rows[0]!.status === 'sent' ? rows : undefined
  }, 120_000)
  figures['settledSeconds'] = seconds()
  figures['effects'] = peer.effects.size
  const requests = [...peer.effects.values()]
  figures['requests'] = requests.reduce((sum, count) => sum + count)
  console.log(
    Object.entries(figures)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  )
  assert.equal(counts, [{ status: 'sent', count: MESSAGES }])
  assert.is(peer.effects.size, MESSAGES)
  assert.ok(Math.max(...requests) <= 4, 'a message is repeated at most once for each of three faults')
})

test.run()
