/**
 * `npm run chaos`: a site with live calls whose processes and database are killed, paused and cut, until an oracle judges what
 * gates, telephones, webhooks and books have seen. Uses the Postgres of DATABASE_URL, else one of its own, which it also stops
 * and crashes.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { PACKAGE_ROOT } from '../src/platform/package.ts'
import { readPrompts } from '../src/testing/index.ts'
import { quickPack } from '../test/rig/service-pack.ts'
import { freePort } from '../test/rig/site-rig.ts'
import { openBed } from './bed.ts'
import { createBlows } from './blows.ts'
import { type Book, judge, tableOf } from './oracle.ts'
import { createRandom } from './random.ts'
import { type BlowRecord, noteRecord, type PeerRecord, readRecords } from './records.ts'
import { upgrade } from './upgrade.ts'
import { createVisits } from './visits.ts'

const USAGE =
  'usage: npm run chaos -- [--kills 40] [--calls 24] [--load 0] [--minutes 15] [--seed N] [--resume] [--write]\n       npm run chaos -- --upgrade CHECKOUT_OF_THE_VERSION_BEFORE [--calls 200] [--write]\n'
/** ms between two blows. */
const BETWEEN_MS = [1500, 5000] as const
/** Part of the calls that must be live at a blow. */
const LEAST = 20 / 24
/** ms kept of the time limit for the last calls to end and the last webhooks to leave. */
const TAIL_MS = 180_000

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '40' },
    calls: { type: 'string' },
    load: { type: 'string', default: '0' },
    minutes: { type: 'string', default: '15' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    resume: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    upgrade: { type: 'string' },
  },
})
const [kills, calls, load, minutes, seed] = [
  values.kills,
  values.calls ?? (values.upgrade === undefined ? 24 : 200),
  values.load,
  values.minutes,
  values.seed,
].map(Number) as [number, number, number, number, number]
if (![kills, calls, load, minutes, seed].every((count) => Number.isInteger(count) && count >= 0)) {
  process.stderr.write(USAGE)
  process.exit(64)
}

const directory = join(tmpdir(), `porteiro-chaos-${process.getuid?.() ?? 0}-${seed}`)
const records = join(directory, 'records.jsonl')
const log = (line: string) => process.stderr.write(`${line}\n`)
const ends = Date.now() + minutes * 60_000

await using owner = new AsyncDisposableStack()
const ending = new AbortController()
const rig = {
  defer: (release: () => unknown) => owner.defer(async () => void (await release())),
  signal: ending.signal,
}
process.once('SIGINT', () => ending.abort())
process.once('SIGTERM', () => ending.abort())

if (!values.resume) await rm(directory, { recursive: true, force: true, maxRetries: 10 })
await mkdir(directory, { recursive: true, mode: 0o711 })
const before = (await readRecords(records)).filter(
  (record) => record.kind === 'blow' && record.how === 'kill',
).length
log(`seed ${seed}, ${kills - before} kills, ${calls} calls at once, in ${directory}`)

const burners = Array.from({ length: load }, () =>
  spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
)
owner.defer(() => {
  for (const burner of burners) burner.kill('SIGKILL')
})

const peers: ChildProcess = fork(join(import.meta.dirname, 'peers.ts'), [records, String(seed + before)])
const [{ port: peer }] = (await once(peers, 'message')) as [{ port: number }]
owner.defer(async () => {
  peers.disconnect()
  await once(peers, 'exit')
})

const pack = await quickPack()
const prompts = await readPrompts('pt-BR', [pack])
const bed = await openBed(
  rig,
  { directory, url: process.env['DATABASE_URL'] || undefined, name: `chaos_${seed}` },
  {
    WEBHOOK_URL: `http://127.0.0.1:${peer}/webhook`,
    // a start takes its time on a busy machine
    REATTACH_SECONDS: '90',
    CLICKTOCALL_RING_SECONDS: '30',
    HANGUP_DELAY_MS: '3000',
    // a receiver that refuses is asked again at once
    MESSAGE_RETRY_DELAY: '1000',
    // each call stays where it is until all nodes are upgraded
    ...(values.upgrade !== undefined && {
      REATTACH_SECONDS: '300',
      CLICKTOCALL_RING_SECONDS: '600',
      CALL_MAX_SECONDS: '1800',
    }),
  },
  // the visitors of the benchmarks know the real prompts
  values.upgrade === undefined ? pack : undefined,
)
const ports: Record<string, { visitor: number; resident: number }> = {}
for (const name of ['voice-a', 'voice-b']) {
  ports[name] = { visitor: await freePort(), resident: await freePort() }
  bed.add(name, 'voice', ports[name])
}
if (values.upgrade !== undefined) {
  const { text, isWell } = await upgrade(rig, { bed, from: values.upgrade, calls, log })
  console.log(text)
  if (values.write) await write('upgrade', text)
  // what is open is closed first, and not started again
  ending.abort()
  await owner.disposeAsync()
  process.exit(isWell ? 0 : 1)
}
bed.add('worker-a', 'worker')
bed.add('worker-b', 'worker')
bed.add('web-a', 'web', { api: await freePort() })
await Promise.all(bed.slots.map((slot) => bed.launch(slot)))
const gate = await bed.ask(
  '/api/gates/default',
  { kind: 'webhook', url: `http://127.0.0.1:${peer}/gate` },
  'PUT',
)
if (gate?.status !== 200 && gate?.status !== 201)
  throw new Error(`the gate was not made: ${JSON.stringify(gate)}`)

let decides: ((node: string) => void)[] = []
const visits = createVisits({
  seed: seed + before,
  prompts,
  ports,
  isUp: (node) => bed.slots.some(({ name, isUp }) => name === node && isUp),
  decide: async (call, verdict) =>
    (await bed.ask(`/api/calls/${call}/decision`, { verdict }))?.status === 200,
  note: (record) => noteRecord(records, record),
  onDeciding(node) {
    for (const decide of decides) decide(node)
    decides = []
  },
})
owner.defer(() => visits.close())
peers.on('message', (record: PeerRecord) => {
  if (record.kind === 'webhook' && record.type === 'resident.wanted' && record.call)
    void visits.call(record.call)
})

let isFilling = true
const fill = async () => {
  while (isFilling) {
    while (visits.all().length < calls) visits.begin()
    await sleep(200)
  }
}
const filling = fill()

const blows = createBlows({
  bed,
  random: createRandom(seed + before),
  deciding: () => new Promise((resolve) => decides.push(resolve)),
  async strike(target, how) {
    const states = await bed.states()
    const blow: BlowRecord = {
      kind: 'blow',
      at: Date.now(),
      target,
      how,
      live: visits.live(),
      load: loadavg()[0]!,
      states,
    }
    noteRecord(records, blow)
    log(`${how} ${target}: ${blow.live} live calls, load ${blow.load.toFixed(1)} ${JSON.stringify(states)}`)
  },
  onFailed: (error) => log(`a process did not come up: ${error}`),
})

const pauses = createRandom(seed + before + 1)
let struck = before
while (struck < kills && !ending.signal.aborted && Date.now() < ends - TAIL_MS) {
  await sleep(pauses.between(...BETWEEN_MS))
  if (visits.live() < calls * LEAST) continue
  if (await blows.next()) struck++
}
if (ending.signal.aborted) {
  log(`stopped after ${struck} kills; --seed ${seed} --resume goes on`)
  process.exitCode = 130
} else {
  isFilling = false
  await filling
  log('waiting for the last calls to end')
  await blows.settled()
  const waitUntil = async (what: string, isSo: () => Promise<boolean>) => {
    while (!(await isSo().catch(() => false))) {
      if (Date.now() > ends) return log(`out of time: ${what}`)
      await sleep(500)
    }
  }
  await waitUntil('visits are not over', async () => visits.all().length === 0)
  await waitUntil(
    'calls are not ended',
    async () => (await bed.database.query('select from calls where ended_at is null')).length === 0,
  )
  const waiting = `select from messages where status in ('pending', 'processing', 'retrying') and channel in ('webhook', 'gate')`
  await waitUntil('messages wait', async () => (await bed.database.query(waiting)).length === 0)
  // a sweep derives what a killed process did not enqueue
  await sleep(15_000)
  await waitUntil('messages wait', async () => (await bed.database.query(waiting)).length === 0)
  const books = await bed.database.query<Book>(
    'select id, outcome, reason, decision, ended_at is not null as "isEnded" from calls',
  )
  await report(books)
}

async function report(books: readonly Book[]): Promise<void> {
  const all = await readRecords(records)
  const found = judge(all, books)
  const blown = all.filter((record) => record.kind === 'blow')
  const killed = blown.filter(({ how }) => how === 'kill')
  const loads = killed.map((blow) => blow.load).toSorted((a, b) => a - b)
  const states = new Map<string, number>()
  for (const blow of killed)
    for (const [state, count] of Object.entries(blow.states))
      states.set(state, (states.get(state) ?? 0) + count)
  const names = [...states].sort(([, a], [, b]) => b - a).map(([state, count]) => `${state} ${count}`)
  const hows = Map.groupBy(
    blown.filter(({ how }) => how !== 'kill'),
    ({ how, target }) =>
      how === 'thread' ? 'kill a media thread' : `${how} ${target === 'postgres' ? 'Postgres' : 'a process'}`,
  )
  const told = [
    `${killed.length} kills with ${Math.min(...killed.map(({ live }) => live))} to ${Math.max(...killed.map(({ live }) => live))} live calls, ` +
      `load ${loads[0]?.toFixed(0)} to ${loads.at(-1)?.toFixed(0)} (median ${loads[loads.length >> 1]?.toFixed(0)}) on ${cpus().length} cores; ` +
      `${[...hows].map(([how, those]) => `${how} ${those.length}`).join(', ')}. Seed ${seed}.`,
    '',
    `States of the calls at the kills: ${names.join(', ')}.`,
    '',
    tableOf(found),
  ].join('\n')
  console.log(told)
  for (const { rule, calls: those } of found.rules) if (those.length > 0) log(`${rule}: ${those.join(', ')}`)
  const broken = found.rules.some(({ calls: those }) => those.length > 0)
  await writeFile(join(directory, 'books.json'), JSON.stringify(books))
  for (const { name, running } of bed.slots)
    if (running) await writeFile(join(directory, `${name}.log`), running.out())
  process.exitCode = broken ? 1 : 0
  // what ends from here on is not started again
  ending.abort()
  if (values.write) await write(load > 0 ? 'loaded' : 'idle', told)
}

/** Between the marks of this name in docs/reliability.md. */
async function write(name: string, text: string): Promise<void> {
  const file = join(PACKAGE_ROOT, 'docs', 'reliability.md')
  const page = await readFile(file, 'utf8')
  const [begin, end] = [`<!-- chaos ${name} -->`, `<!-- /chaos ${name} -->`]
  const [at, to] = [page.indexOf(begin), page.indexOf(end)]
  if (at < 0 || to < at) throw new Error(`${file} has no place for the table: ${begin}`)
  await writeFile(file, `${page.slice(0, at + begin.length)}\n${text}\n${page.slice(to)}`)
}
