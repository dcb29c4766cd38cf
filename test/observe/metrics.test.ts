import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { brokerMachine, callMachine, OUTCOMES, type Outcome } from '../../machines/index.ts'
import { createLatenessRecord } from '../../src/audiosocket/index.ts'
import type { BrokerState } from '../../src/clicktocall/index.ts'
import { createKey } from '../../src/http/index.ts'
import type { QueueCount } from '../../src/observe/depths.ts'
import { BROKER_STATES, createMetrics, type MetricsSources } from '../../src/observe/metrics.ts'
import { createTimings } from '../../src/observe/timings.ts'
import { openProxy, queueName, withBroker } from '../rig/broker-rig.ts'
import { passTime } from '../rig/clock.ts'
import { eventually, suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'
import { type Exposition, readExposition } from './exposition.ts'

const test = suite('metrics')
const testReal = withBroker(test)

const NO_TALKS = { dropped: 0, skipped: 0, concealed: 0, delays: [0, 0, 0, 0, 0, 0] }

/** Sources of a service in which nothing has happened yet. */
function quiet(change: Partial<MetricsSources> = {}): MetricsSources {
  return {
    callStates: ['attending', 'ended'],
    calls: { list: () => [], counts: () => ({ outcomes: {} }) },
    pacer: {
      lateness: () => ({ p50: 0, p99: 0, max: 0 }),
      latenessWithin: (limits) => ({ within: limits.map(() => 0), count: 0, sum: 0 }),
    },
    media: { counts: () => ({ refused: {}, talks: NO_TALKS }) },
    faults: () => ({ mainBlocked: undefined, mediaDied: undefined }),
    journal: { counts: () => ({ waiting: 0, lost: 0 }) },
    pool: { totalCount: 0, idleCount: 0, waitingCount: 0 },
    broker: undefined,
    ...change,
  }
}

async function scrape(sources: MetricsSources): Promise<Exposition> {
  return readExposition(await createMetrics(sources).text())
}

function ask({ service, key: own }: House, key: string | null = own) {
  return fetch(`http://127.0.0.1:${service.ports.api}/metrics`, {
    headers: { connection: 'close', ...(key !== null && { authorization: `Bearer ${key}` }) },
  })
}

async function metricsOf(house: House): Promise<Exposition> {
  return readExposition(await (await ask(house)).text())
}

test('every value is read when the metrics are requested', async () => {
  const journal = { waiting: 3, lost: 0 }
  const pool = { totalCount: 4, idleCount: 1, waitingCount: 2 }
  const refused: Record<string, number> = { UUID_NIL: 2 }
  const broker = { state: 'open', losses: 0 }
  const live: ReturnType<MetricsSources['calls']['list']>[number][] = [
    {
      actor: { getSnapshot: () => ({ value: { reaching: 'searching' } }) },
      legs: new Map([
        ['visitor', 0],
        ['resident', 0],
      ]),
    },
    { actor: { getSnapshot: () => ({ value: 'attending' }) }, legs: new Map([['visitor', 0]]) },
  ]
  const metrics = createMetrics(
    quiet({
      calls: {
        list: () => live,
        counts: () => ({ outcomes: { authorized: 7 } }),
      },
      pacer: { ...quiet().pacer, lateness: () => ({ p50: 0.25, p99: 3.5, max: 41.125 }) },
      media: { counts: () => ({ refused, talks: NO_TALKS }) },
      journal: { counts: () => journal },
      pool,
      broker: { describe: () => broker },
    }),
  )
  const first = readExposition(await metrics.text())
  assert.equal(first.of('porteiro_calls'), {
    'state=attending': 1,
    'state=ended': 0,
    'state=reaching': 1,
  })
  assert.equal(first.of('porteiro_legs'), { 'role=visitor': 2, 'role=resident': 1 })
  assert.is(first.value('porteiro_calls_ended_total', 'outcome=authorized'), 7)
  assert.is(first.value('porteiro_calls_ended_total', 'outcome=denied'), 0)
  assert.equal(first.of('porteiro_frame_lateness_ms'), {
    'quantile=0.5': 0.25,
    'quantile=0.99': 3.5,
    'quantile=1': 41.125,
  })
  assert.equal(first.of('porteiro_audiosocket_refused_total'), { 'code=UUID_NIL': 2 })
  assert.is(first.value('porteiro_journal_waiting'), 3)
  assert.is(first.value('porteiro_database_connections'), 4)
  assert.is(first.value('porteiro_database_connections_idle'), 1)
  assert.is(first.value('porteiro_database_waiting'), 2)
  assert.is(first.value('porteiro_broker_state', 'state=open'), 1)

  live.length = 0
  Object.assign(journal, { waiting: 0, lost: 5 })
  Object.assign(pool, { waitingCount: 0 })
  Object.assign(refused, { ADDRESS_REFUSED: 1 })
  Object.assign(broker, { state: 'recovering', losses: 1 })
  const second = readExposition(await metrics.text())
  assert.equal(second.of('porteiro_calls'), { 'state=attending': 0, 'state=ended': 0 })
  assert.equal(second.of('porteiro_legs'), { 'role=visitor': 0, 'role=resident': 0 })
  assert.is(second.value('porteiro_journal_waiting'), 0)
  assert.is(second.value('porteiro_journal_lost_total'), 5)
  assert.is(second.value('porteiro_database_waiting'), 0)
  assert.equal(second.of('porteiro_audiosocket_refused_total'), {
    'code=UUID_NIL': 2,
    'code=ADDRESS_REFUSED': 1,
  })
  assert.is(second.value('porteiro_broker_state', 'state=open'), 0)
  assert.is(second.value('porteiro_broker_state', 'state=recovering'), 1)
  assert.is(second.value('porteiro_broker_losses_total'), 1)
})

test('two services in one process tell each its own, and both the process', async () => {
  const [one, two] = [
    await scrape(quiet({ journal: { counts: () => ({ waiting: 1, lost: 0 }) } })),
    await scrape(quiet()),
  ]
  assert.is(one.value('porteiro_journal_waiting'), 1)
  assert.is(two.value('porteiro_journal_waiting'), 0)
  for (const { value } of [one, two]) {
    assert.ok(value('process_resident_memory_bytes') > 1e6)
    assert.ok(value('process_cpu_seconds_total') > 0)
    assert.type(value('nodejs_eventloop_lag_p99_seconds'), 'number')
  }
})

test('frame lateness is a histogram of what the pacer counted', async () => {
  const record = createLatenessRecord()
  for (const ms of [0, 0.1, 0.9, 3, 19.9, 300]) record.add(ms)
  const told = await scrape(quiet({ pacer: { ...quiet().pacer, latenessWithin: record.latenessWithin } }))
  const buckets = told.of('porteiro_frame_lateness_seconds_bucket')
  assert.equal(Object.values(buckets), [3, 3, 4, 4, 5, 5, 5, 5, 5, 6])
  assert.equal(Object.keys(buckets).slice(0, 2), ['le=0.001', 'le=0.0025'])
  assert.is(told.value('porteiro_frame_lateness_seconds_count'), 6)
  assert.ok(Math.abs(told.value('porteiro_frame_lateness_seconds_sum') - 0.3239) < 1e-9)
})

test('talks have their losses, and a histogram of their delay', async () => {
  const talks = { dropped: 2, skipped: 3, concealed: 5, delays: [0, 40, 8, 0, 1, 1] }
  const told = await scrape(quiet({ media: { counts: () => ({ refused: {}, talks }) } }))
  assert.equal(told.of('porteiro_talk_frames_total'), {
    'what=dropped': 2,
    'what=skipped': 3,
    'what=concealed': 5,
  })
  const buckets = told.of('porteiro_talk_delay_seconds_bucket')
  assert.equal(Object.values(buckets), [0, 40, 48, 48, 49, 50, 50])
  assert.equal(Object.keys(buckets).slice(0, 2), ['le=0.02', 'le=0.04'])
  assert.is(told.value('porteiro_talk_delay_seconds_count'), 50)
  assert.ok(Math.abs(told.value('porteiro_talk_delay_seconds_sum') - (1.2 + 0.4 + 0.09 + 0.11)) < 1e-9)
})

test('metrics of speech are by kind, times of answers by provider', async () => {
  const timings = createTimings()
  timings.speech('stt', 'vosk', 250)
  timings.speech('stt', 'vosk', 4000)
  const status = { provider: 'vosk', ready: true, active: 2, waiting: 1, requests: 9, failures: 3 }
  const none = { provider: 'none', ready: false, active: 0, waiting: 0, requests: 0, failures: 0 }
  const told = await scrape(quiet({ timings, speech: { tts: () => none, stt: () => status } }))
  assert.equal(told.of('porteiro_speech_ready'), { 'kind=tts': 0, 'kind=stt': 1 })
  assert.is(told.value('porteiro_speech_active', 'kind=stt'), 2)
  assert.is(told.value('porteiro_speech_waiting', 'kind=stt'), 1)
  assert.is(told.value('porteiro_speech_requests_total', 'kind=stt'), 9)
  assert.is(told.value('porteiro_speech_failures_total', 'kind=stt'), 3)
  const bucket = (le: string) =>
    told.value('porteiro_speech_seconds_bucket', `le=${le},kind=stt,provider=vosk`)
  assert.equal([bucket('0.2'), bucket('0.3'), bucket('+Inf')], [0, 1, 2])
})

test('a delivery is timed from when it was enqueued, and each try by itself', async () => {
  let clock = 100_000
  const timings = createTimings({ now: () => clock })
  let fails = true
  const [gate] = timings.measured([
    {
      channel: 'gate',
      async send(_: { priority: number; createdAt: Date }) {
        clock += 40
        if (fails) throw new Error('away')
        return { providerId: 'x' }
      },
      close: async () => {},
    },
  ])
  const message = { priority: 10, createdAt: new Date(99_000) }
  await gate!.send(message, undefined).then(
    () => assert.unreachable(),
    ({ message: text }) => assert.is(text, 'away'),
  )
  fails = false
  assert.equal(await gate!.send(message, undefined), { providerId: 'x' })
  const told = await scrape(quiet({ timings }))
  assert.equal(told.of('porteiro_delivery_tries_total'), {
    'channel=gate,outcome=failed': 1,
    'channel=gate,outcome=accepted': 1,
  })
  assert.is(told.value('porteiro_delivery_try_seconds_count', 'channel=gate'), 2)
  assert.ok(Math.abs(told.value('porteiro_delivery_seconds_sum', 'channel=gate,priority=10') - 1.08) < 1e-9)
  assert.is(told.value('porteiro_delivery_seconds_count', 'channel=gate,priority=10'), 1)
})

test('the depth of the queues is asked for at most once for many scrapes, and left out while nobody answers', async () => {
  let asked = 0
  let answer: () => Promise<readonly QueueCount[]> = async () => [
    { queue: 'outgoing', priority: 0, status: 'pending', count: 3, oldestSeconds: 7 },
    { queue: 'outgoing', priority: 0, status: 'pending', count: 2, oldestSeconds: 90 },
    { queue: 'outgoing', priority: 10, status: 'failed', count: 1, oldestSeconds: 4000 },
  ]
  const queue = {
    counts: () => {
      asked++
      return answer()
    },
  }
  const metrics = createMetrics(quiet({ queue }))
  for (let times = 0; times < 5; times++) {
    const told = readExposition(await metrics.text())
    assert.equal(told.of('porteiro_queue_messages'), {
      'queue=outgoing,priority=0,status=pending': 5,
      'queue=outgoing,priority=10,status=failed': 1,
    })
    assert.equal(told.of('porteiro_queue_oldest_seconds'), { 'queue=outgoing': 90 })
  }
  assert.is(asked, 1)

  answer = () => Promise.reject(new Error('the database is away'))
  const without = await scrape(quiet({ queue }))
  assert.equal(without.of('porteiro_queue_messages'), {})
  assert.is(without.value('porteiro_journal_waiting'), 0, 'the rest is told')
  answer = () => new Promise(() => {})
  const hanging = createMetrics(quiet({ queue }))
  const before = asked
  const both = await Promise.all([hanging.text(), hanging.text()])
  assert.equal(readExposition(both[0]!).of('porteiro_queue_messages'), {})
  assert.is(asked, before + 1)
})

test('the dashboard has a panel for every metric of ours, and asks for none that is not there', async () => {
  const { panels, templating } = JSON.parse(
    await readFile(new URL('../../examples/grafana/porteiro.json', import.meta.url), 'utf8'),
  ) as {
    panels: { id: number; type: string; title: string; targets?: { expr: string }[] }[]
    templating: { list: { name: string }[] }
  }
  const broker = { describe: () => ({ state: 'open', losses: 0 }) }
  const idle = { provider: 'none', ready: false, active: 0, waiting: 0, requests: 0, failures: 0 }
  const text = await createMetrics(
    quiet({
      broker,
      speech: { tts: () => idle, stt: () => idle },
      queue: { counts: async () => [] },
      timings: createTimings(),
    }),
  ).text()
  const metrics = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]),
  )
  const asked = new Set<string>()
  for (const { title, targets = [] } of panels) {
    for (const { expr } of targets) {
      const names = expr.match(/\b(porteiro|nodejs|process)_[a-z0-9_]+/g) ?? []
      assert.ok(names.length > 0, `${title} asks for something`)
      for (const name of names) {
        const base = name.replace(/_(bucket|sum|count)$/, '')
        const known = metrics.get(name) ?? (metrics.get(base) === 'histogram' ? 'histogram' : undefined)
        assert.ok(known, `${title}: ${name} is told`)
        asked.add(metrics.has(name) ? name : base)
        if (known === 'counter' && !/lost_total/.test(name)) assert.match(expr, new RegExp(`rate\\(${name}`))
      }
      for (const [, name] of expr.matchAll(/\$(\w+)/g)) {
        assert.ok(name === '__rate_interval' || templating.list.some((one) => one.name === name), `$${name}`)
      }
    }
  }
  const untold = [...metrics.keys()].filter((name) => name.startsWith('porteiro_') && !asked.has(name))
  assert.equal(untold, [])
  assert.is(new Set(panels.map(({ id }) => id)).size, panels.length, 'each has its own id')
})

test('the outcomes and the states of the broker are all there are', async () => {
  const outcomes: Record<Outcome, true> = {
    authorized: true,
    denied: true,
    undecided: true,
    unanswered: true,
    unreachable: true,
    abandoned: true,
    blocked: true,
    expired: true,
  }
  assert.equal([...OUTCOMES].sort(), Object.keys(outcomes).sort())
  const states: Record<BrokerState, true> = {
    connecting: true,
    open: true,
    blocked: true,
    stuck: true,
    recovering: true,
    failed: true,
    closing: true,
    closed: true,
  }
  assert.equal([...BROKER_STATES].sort(), Object.keys(states).sort())
  // a loss is decided about in the same step
  const { established, lost: _, ...outer } = brokerMachine.states
  assert.equal(
    [...Object.keys(outer), ...Object.keys(established!.states)].sort(),
    Object.keys(states).sort(),
  )
})

test('the metrics of a service need a key that may read, and count its calls', async (rig) => {
  passTime(rig)
  const house = await openService(rig)
  const { plain: reader } = await createKey(house.service.database, {
    tenantId: null,
    name: 'prometheus',
    scopes: ['read'],
  })
  assert.is((await ask(house, null)).status, 401)
  assert.is((await ask(house, 'ptr_wrong')).status, 401)
  const answer = await ask(house, reader)
  assert.is(answer.status, 200)
  assert.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const before = readExposition(await answer.text())
  assert.equal(
    Object.keys(before.of('porteiro_calls')),
    Object.keys(callMachine.states).map((state) => `state=${state}`),
  )
  assert.not.ok(before.has('porteiro_broker_state'), 'without a broker it has no state')

  const visitor = await house.rung()
  await house.resident(visitor.id).hearing('resident-greeting')
  const during = await metricsOf(house)
  assert.is(during.value('porteiro_calls', 'state=reaching'), 1)
  assert.equal(during.of('porteiro_legs'), { 'role=visitor': 1, 'role=resident': 1 })
  assert.ok(during.value('porteiro_database_connections') >= 1)
  visitor.hangUp()
  await house.ending(visitor.id)
  const after = await metricsOf(house)
  assert.is(after.value('porteiro_calls_ended_total', 'outcome=abandoned'), 1)
  assert.equal(after.of('porteiro_legs'), { 'role=visitor': 0, 'role=resident': 0 })
})

testReal('the broker’s state and its losses are followed', async (rig) => {
  const proxy = await openProxy(rig)
  const house = await openService(rig, {
    settings: {
      AMQP_URL: proxy.url,
      AMQP_FAILURE: 'recover',
      AMQP_RETRY_DELAY_MS: '50',
      CLICKTOCALL: 'amqp',
      CLICKTOCALL_QUEUE: await queueName(rig),
    },
  })
  const stateIs = async (state: string) => {
    const { of } = await metricsOf(house)
    const states = of('porteiro_broker_state')
    assert.is(
      Object.values(states).reduce((sum, one) => sum + one, 0),
      1,
      'it is in one state',
    )
    return states[`state=${state}`] === 1 || undefined
  }
  assert.ok(await stateIs('open'))
  proxy.fail()
  await eventually(() => stateIs('recovering'))
  proxy.restore()
  await eventually(() => stateIs('open'))
  assert.is((await metricsOf(house)).value('porteiro_broker_losses_total'), 1)
})

test.run()
