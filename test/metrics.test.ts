import * as assert from 'uvu/assert'
import { brokerMachine, callMachine } from '../machines/index.ts'
import type { BrokerState } from '../src/clicktocall/broker.ts'
import { BROKER_STATES, createMetrics, type MetricsSources, OUTCOMES } from '../src/observe/metrics.ts'
import type { Outcome } from '../src/store/calls.ts'
import { createKey } from '../src/store/keys.ts'
import { openProxy, queueName, withBroker } from './broker-rig.ts'
import { type Exposition, readExposition } from './exposition.ts'
import { eventually, suite } from './rig.ts'
import { type House, openService } from './service-rig.ts'

const test = suite('metrics')
const testReal = withBroker(test)

/** Sources of a service in which nothing has happened yet. */
function quiet(change: Partial<MetricsSources> = {}): MetricsSources {
  return {
    callStates: ['attending', 'ended'],
    calls: { list: () => [], counts: () => ({ outcomes: {} }) },
    pacer: { lateness: () => ({ p50: 0, p99: 0, max: 0 }) },
    audiosocket: { counts: () => ({ refused: {} }) },
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

test('every value is told as it is when it is asked for', async () => {
  const journal = { waiting: 3, lost: 0 }
  const pool = { totalCount: 4, idleCount: 1, waitingCount: 2 }
  const refused: Record<string, number> = { UUID_NIL: 2 }
  const broker = { state: 'open', losses: 0 }
  const live: ReturnType<MetricsSources['calls']['list']>[number][] = [
    {
      actor: { getSnapshot: () => ({ value: { contacting: { call: 'ringing' } } }) },
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
      pacer: { lateness: () => ({ p50: 0.25, p99: 3.5, max: 41.125 }) },
      audiosocket: { counts: () => ({ refused }) },
      journal: { counts: () => journal },
      pool,
      broker: { describe: () => broker },
    }),
  )
  const first = readExposition(await metrics.text())
  assert.equal(first.of('porteiro_calls'), {
    'state=attending': 1,
    'state=ended': 0,
    'state=contacting': 1,
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

test('the outcomes and the states of the broker are all there are', async () => {
  const outcomes: Record<Outcome, true> = {
    authorized: true,
    denied: true,
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
  const { established, ...outer } = brokerMachine.states
  assert.equal(
    [...Object.keys(outer), ...Object.keys(established!.states)].sort(),
    Object.keys(states).sort(),
  )
})

test('the metrics of a service need a key that may read, and count its calls', async (rig) => {
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
  assert.is(during.value('porteiro_calls', 'state=consulting'), 1)
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
