/**
 * `npm run growing`: how much a day of 10,000 condominiums is, and of fewer. First it measures on a running service and a real
 * Postgres what one call of each kind does; then it simulates the days event by event. `--json` prints both, and `--measured` takes such a file
 * instead of measuring. What is
 * assumed and not measured is in growing-day.ts. It uses the Postgres of DATABASE_URL, else an embedded one; nothing else
 * may use that server meanwhile, because its write-ahead log is one for all databases.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { audioFrame } from '../src/audiosocket/frame.ts'
import { loadPrompts } from '../src/media/prompts.ts'
import { PACKAGE_ROOT } from '../src/platform/package.ts'
import { createPhone } from '../src/simulator/phone.ts'
import { playResident, playVisitor } from '../src/simulator/script.ts'
import { startChild } from './child.ts'
import { createBenchDatabase } from './database.ts'
import { ASSUMED, type Day, type DayOptions, type Footprint, type Kind, simulateDay } from './growing-day.ts'

/** Postgres publishes what an idle session did within 10 s. */
const SETTLED_MS = 12_000
/** The unit that is called has two contacts: nobody answers for twice so long. */
const RING_S = 10
const OUTCOMES: Record<Kind, string> = { answered: 'authorized', unanswered: 'unanswered', left: 'abandoned' }
const KINDS = Object.keys(ASSUMED.kinds) as Kind[]
/** Attempts at once of one process of the role worker, as in src/outbound/worker.ts. */
const SLOTS = 256

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    visits: { type: 'string', default: '20' },
    calls: { type: 'string', default: String(ASSUMED.callsADay) },
    measured: { type: 'string' },
  },
})
const [visits, callsADay] = [Number(values.visits), Number(values.calls)]
if (!(Number.isInteger(visits) && visits > 0 && callsADay > 0)) {
  process.stderr.write('usage: npm run growing -- [--visits 20] [--calls 30] [--measured FILE] [--json]\n')
  process.exit(64)
}

const progress = (doing: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${doing}`)
}

const { footprints, idle }: Awaited<ReturnType<typeof measure>> = values.measured
  ? JSON.parse(await readFile(values.measured, 'utf8'))
  : await measure()
progress('')
const sizes: [string, DayOptions][] = [
  ['100', { ...step(100), nodes: 1, workers: 1 }],
  ['1,000', { ...step(1000), nodes: 1, workers: 1 }],
  ['10,000', { ...step(10_000), nodes: 4, workers: 2 }],
  ['10,000, receivers away 10 min', { ...step(10_000), nodes: 4, workers: 2, outage: true }],
]
const days = sizes.map(([title, options]) => ({ title, options, day: simulateDay(footprints, options) }))
if (values.json) console.log(JSON.stringify({ assumed: ASSUMED, footprints, idle, days }, null, 2))
else console.log(`${footprintTable()}\n\n${dayTable()}`)

function step(condominiums: number): DayOptions {
  return { condominiums, callsADay, nodes: 1, workers: 1, slots: SLOTS, outage: false }
}

interface Counted {
  rows: number
  walBytes: number
  storedBytes: number
  messages: number
  recordedBytes: number
}

/** The footprints, and what the service writes a second while nobody calls. */
async function measure() {
  await using owner = new AsyncDisposableStack()
  const url = await createBenchDatabase(owner)
  const receiver = createServer((request, reply) => {
    request.resume()
    request.on('end', () => reply.writeHead(204).end())
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  owner.defer(() => {
    receiver.closeAllConnections()
    receiver.close()
  })
  const world = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
  const service = startChild('load-service.ts', { flags: ['--expose-gc'] })
  owner.defer(() => service.close())
  const ports = await service.ask<{ visitor: number; resident: number }>('start', {
    url,
    visits,
    gate: world,
    settings: {
      WEBHOOK_URL: world,
      EGRESS_ALLOW: '127.0.0.0/8',
      CLICKTOCALL_ATTEMPTS: '1',
      CLICKTOCALL_RING_SECONDS: String(RING_S),
      HANGUP_DELAY_MS: '5000',
    },
  })
  const prompts = await loadPrompts({
    directories: [join(PACKAGE_ROOT, 'prompts')],
    locale: 'pt-BR',
    frame: audioFrame,
  })
  const looker = new pg.Client(url)
  await looker.connect()
  owner.defer(() => looker.end())
  let notifies = 0
  looker.on('notification', () => notifies++)
  await looker.query('listen porteiro_signals')
  await looker.query('listen porteiro_jobs_notices')
  const boss = `select 'pgboss_' || left(encode(sha224('porteiro_jobs'::bytea), 'hex'), 24) as channel`
  await looker.query(`listen ${(await looker.query(boss)).rows[0].channel}`)

  const look = async (): Promise<Counted> => {
    await service.ask('look')
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS))
    const { rows } = await looker.query(`
      select (select sum(n_tup_ins + n_tup_upd + n_tup_del)::float from pg_stat_user_tables) as rows,
        (pg_current_wal_insert_lsn() - '0/0')::float as "walBytes",
        (select sum(pg_total_relation_size(relid))::float from pg_stat_user_tables) as "storedBytes",
        (select count(*)::float from porteiro.messages) as messages`)
    return { ...rows[0], recordedBytes: await service.ask<number>('recorded') }
  }

  const answering = new Map<string, () => void>()
  const ringing = (async () => {
    try {
      for (;;) for (const id of await service.ask<string[]>('wanted')) answering.get(id)?.()
    } catch {
      // the service has ended
    }
  })()
  let residentMs = 0
  const visit = async (kind: Kind) => {
    const visitor = createPhone({ port: ports.visitor, role: 'visitor', prompts })
    const hangUpAfter = kind === 'left' ? { hangUpAfter: 'ask-name' } : {}
    const played = playVisitor(visitor, { keys: '101#', ...hangUpAfter })
    if (kind === 'answered') {
      const { promise, resolve } = Promise.withResolvers<void>()
      answering.set(visitor.id, resolve)
      await Promise.race([promise, played])
      const began = performance.now()
      const resident = createPhone({ port: ports.resident, id: visitor.id, role: 'resident', prompts })
      await playResident(resident, { keys: '1' })
      residentMs += performance.now() - began
    }
    await played
  }

  // whatever is compiled, cached and allocated for good is so after these
  progress('growing: warming up')
  await Promise.all([...KINDS, ...KINDS].map(visit))
  const idleFrom = await look()
  const began = performance.now()
  progress('growing: nobody calls')
  const idleTo = await look()
  let before = idleTo
  const idleSeconds = (performance.now() - began) / 1000
  const idleOf = (name: keyof Counted) => (idleTo[name] - idleFrom[name]) / idleSeconds
  const footprints = {} as Record<Kind, Footprint>
  for (const kind of KINDS) {
    progress(`growing: ${visits} calls at once, ${kind}`)
    notifies = 0
    residentMs = 0
    const started = performance.now()
    const ms = await Promise.all(
      Array.from({ length: visits }, async (_, index) => {
        // nobody rings at every gate in the same moment
        await new Promise((resolve) => setTimeout(resolve, index * 200))
        const from = performance.now()
        await visit(kind)
        return performance.now() - from
      }),
    )
    const after = await look()
    const { rows } = await looker.query(
      'select count(*)::int as ended from (select outcome from porteiro.calls order by started_at desc limit $1) c where outcome = $2',
      [visits, OUTCOMES[kind]],
    )
    if (rows[0].ended !== visits)
      throw new Error(`${rows[0].ended} of ${visits} calls ended ${OUTCOMES[kind]}: this machine is too busy`)
    const seconds = (performance.now() - started) / 1000
    const each = (name: keyof Counted) =>
      Math.max(0, after[name] - before[name] - Math.max(0, idleOf(name)) * seconds) / visits
    footprints[kind] = {
      seconds:
        ms.reduce((sum, one) => sum + one, 0) / visits / 1000 - (kind === 'unanswered' ? 2 * RING_S : 0),
      residentSeconds: residentMs / visits / 1000,
      rows: each('rows'),
      walBytes: each('walBytes'),
      storedBytes: (after.storedBytes - before.storedBytes) / visits,
      notifies: notifies / visits,
      messages: Math.round((after.messages - before.messages) / visits),
      recordedBytes: (after.recordedBytes - before.recordedBytes) / visits,
    }
    before = after
  }
  await service.close()
  await ringing
  return {
    footprints,
    idle: { rows: idleOf('rows'), walBytes: idleOf('walBytes') },
  }
}

function footprintTable(): string {
  const line = (title: string, value: (its: Footprint) => string) =>
    row([title, ...KINDS.map((kind) => value(footprints[kind]))])
  return [
    row(['one call, measured', ...KINDS]),
    row(['---', ...KINDS.map(() => '---')]),
    line('seconds, without ringing', ({ seconds }) => round(seconds)),
    line('rows written', ({ rows }) => round(rows)),
    line('write-ahead log', ({ walBytes }) => bytes(walBytes)),
    line('stays in the database', ({ storedBytes }) => bytes(storedBytes)),
    line('recordings', ({ recordedBytes }) => bytes(recordedBytes)),
    line('NOTIFYs', (its) => round(its.notifies)),
    line('messages', ({ messages }) => round(messages)),
    '',
    `While nobody calls: ${round(idle.rows)} rows and ${bytes(idle.walBytes)} of log a second.`,
  ].join('\n')
}

function dayTable(): string {
  const line = (title: string, value: (day: Day, options: DayOptions) => string) =>
    row([title, ...days.map(({ day, options }) => value(day, options))])
  return [
    row(['condominiums', ...days.map(({ title }) => title)]),
    row(['---', ...days.map(() => '---')]),
    line('nodes of voice, processes of worker', (_, { nodes, workers }) => `${nodes}, ${workers}`),
    line('calls a day', ({ calls }) => round(calls)),
    line('calls in the busiest hour', ({ busiestHour }) => round(busiestHour)),
    line('calls at once, p99 and most', ({ callsAtOnce: { p99, max } }) => `${round(p99)}, ${round(max)}`),
    line('legs of a node, p99 and most', ({ legsOfNode: { p99, max } }) => `${round(p99)}, ${round(max)}`),
    line('rows written a second', ({ rows }) => round(rows)),
    line('write-ahead log a second', ({ walBytes }) => bytes(walBytes)),
    line('NOTIFYs a second', ({ notifies }) => round(notifies)),
    line('attempts of messages a second', ({ messages }) => round(messages)),
    line('longest queue', ({ queue: { max } }) => round(max)),
    line('longest wait for a worker', ({ queue }) => `${round(queue.oldestSeconds)} s`),
    line('messages given up', ({ dead }) => round(dead)),
    line('write-ahead log a day', ({ walBytesOfDay }) => bytes(walBytesOfDay)),
    line('database after 90 days', ({ storedBytes }) => bytes(storedBytes * 90)),
    line('recordings after 90 days', ({ recordedBytes }) => bytes(recordedBytes * 90)),
  ].join('\n')
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** Three figures, with commas. */
function round(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en')
}

function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${round(value)} ${units[unit]}`
}
