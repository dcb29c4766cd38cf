import { once } from 'node:events'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { PACKAGE_ROOT } from '../src/root.ts'
import type { PhonesAnswer, PhonesData, PhonesOrder } from './load-phones.ts'
import { eventually, type Rig, suite } from './rig.ts'
import { goodbyeOf, type House, openService } from './service-rig.ts'

const test = suite('service: load')

const CALLS = 100
/** ms between two frames at p99, where the machine leaves the service and the telephones a core each. */
const SPACING_MS = 25
/** Of all cores, what other processes may take while we judge; the journal's Postgres is one of them. */
const OTHERS_SHARE = 0.05
/** Of a heap of about 30 MB; each call kept by mistake would be 100 kB and more, with its recordings. */
const HEAP_BYTES = 6 * 1024 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Places so many visits at once on another thread; resolves when the service has none left. */
async function openPhones(rig: Rig, { service }: House) {
  const { visitor, resident } = service.ports
  const directories = [join(PACKAGE_ROOT, 'prompts')]
  const workerData: PhonesData = { visitor, resident, directories }
  const worker = new Worker(new URL('load-phones.ts', import.meta.url), { workerData })
  rig.defer(() => worker.terminate())
  const order = (message: PhonesOrder) => worker.postMessage(message)
  rig.defer(
    service.journal.subscribe(({ callId, kind }) => {
      if (kind === 'resident.wanted') order({ wanted: callId })
    }),
  )
  return async (count: number): Promise<PhonesAnswer> => {
    order({ visits: count })
    const [answer] = (await once(worker, 'message')) as [PhonesAnswer]
    await eventually(() => (service.calls.counts().calls === 0 ? true : undefined))
    return answer
  }
}

/** Bytes in use when nothing is left that nobody holds; what the test itself kept of the calls is dropped before. */
async function heapOf({ service, events, lines }: House): Promise<number> {
  await service.journal.flush()
  events.length = 0
  lines.length = 0
  collect()
  return process.memoryUsage().heapUsed
}

/** What other processes took of the machine since then, as a share of all cores. */
function watchOthers(): () => number {
  const busyMs = () =>
    cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0)
  const begun = { at: performance.now(), busy: busyMs(), own: process.cpuUsage() }
  return () => {
    const { user, system } = process.cpuUsage(begun.own)
    const others = busyMs() - begun.busy - (user + system) / 1000
    return Math.max(0, others) / ((performance.now() - begun.at) * cpus().length)
  }
}

function middle(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

test(`${CALLS} calls at once all hear everything, evenly, and leave nothing behind`, async (rig) => {
  // as long as calls are: a conversation of nothing but its turns is no load that anybody has
  const house = await openService(rig, { prompts: 'real' })
  const { service } = house
  const visits = await openPhones(rig, house)
  await visits(10)
  const before = await heapOf(house)

  let most = 0
  const off = service.journal.subscribe(() => {
    most = Math.max(most, service.calls.counts().legs)
  })
  const watched = watchOthers()
  const { ends, loopMs } = await visits(CALLS)
  const others = watched()
  off()
  const p50 = middle(ends.map(({ spacing }) => spacing.p50))
  const p99 = middle(ends.map(({ spacing }) => spacing.p99))
  const worst = Math.max(...ends.map(({ spacing }) => spacing.p99))
  const { p99: late } = service.status().frameLateness
  console.log(
    `\nMEASURED ${CALLS} calls, ${most} legs: frames p50 ${p50} ms, p99 ${p99} ms, p99 of the worst telephone ${worst} ms apart; ` +
      `late at p99: the service ${late} ms, the telephones ${loopMs.toFixed(1)} ms; ` +
      `others took ${Math.round(others * 100)} % of the machine`,
  )
  assert.is(most, 2 * CALLS)
  assert.equal([...new Set(ends.map(goodbyeOf))].sort(), [
    'farewell-resident-authorized, whole, server-hangup',
    'farewell-visitor-authorized, whole, server-hangup',
  ])
  // where others want our cores, what comes late or together is not the service's doing
  const judged = others < OTHERS_SHARE
  if (!judged) console.log('the machine is too busy to judge the spacing')
  const broken = ends.flatMap(({ violations }) => violations)
  assert.equal(
    broken.filter(({ code }) => judged || code !== 'BURST'),
    [],
  )
  if (judged) assert.ok(p99 - loopMs < SPACING_MS, `frames are p99 ${p99} ms apart`)
  assert.equal(service.calls.counts(), { calls: 0, legs: 0, outcomes: { authorized: CALLS + 10 } })
  assert.is(service.kit.vad.count, 0)
  const { open, handshaking, refused } = service.status().audiosocket
  assert.equal({ open, handshaking, refused }, { open: 0, handshaking: 0, refused: {} })

  const grown = (await heapOf(house)) - before
  assert.ok(grown < HEAP_BYTES, `the heap grew by ${Math.round(grown / 1024)} kB`)
}, 180_000)

test.run()
