import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { createJournal, type EventRow, writeBatch } from '../../src/calls/index.ts'
import { importDirectory, parseDirectory } from '../../src/directory/index.ts'
import { createAccounts } from '../../src/outbound/accounts.ts'
import {
  type CallEventMessagesOptions,
  type CallPlace,
  createCallEventMessages,
} from '../../src/outbound/call-event-messages.ts'
import { type MessageStatus, type NewMessage, OWN_ENDPOINT } from '../../src/outbound/message.ts'
import { problemsOf } from '../../src/outbound/new-message.ts'
import { createEndpoint } from '../../src/outbound/sql/endpoints.ts'
import { fail } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database, Transaction } from '../../src/platform/postgres/index.ts'
import { captureLog } from '../rig/broker-rig.ts'
import { openTestDatabase } from '../rig/database.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { unitOf } from '../rig/unit.ts'

const test = suite('channels: callEvents')

const TENANT = 'default'
const WHATSAPP = {
  provider: 'cloud' as const,
  url: 'https://graph.example/v23.0',
  phoneId: '1',
  token: 'word',
  appSecret: undefined,
  verifyToken: undefined,
  template: undefined,
  questionTemplate: undefined,
}

type Enqueued = NewMessage & { joined: boolean; fallback: string | undefined }

/** CallEventMessages on a journal of the test's, and every message that they want sent; each is one that its channel takes. */
function openCallEvents(rig: Rig, database: Database, options: Partial<CallEventMessagesOptions> = {}) {
  const { lines, log } = captureLog()
  const journal = createJournal({ write: async () => {}, log: silentLog() })
  const messages: Enqueued[] = []
  const enqueue = async (
    message: NewMessage,
    { transaction, fallback }: { transaction?: Transaction; fallback?: 'direct' } = {},
  ) => {
    assert.equal(problemsOf(message.channel, message.body), [])
    messages.push({ ...message, joined: transaction !== undefined, fallback })
    const status: MessageStatus = fallback ? 'sent' : 'pending'
    return { id: randomUUID(), status, duplicate: false }
  }
  const callEvents = createCallEventMessages({
    journal,
    outbound: { enqueue },
    database,
    accounts: createAccounts({ database, own: { whatsapp: WHATSAPP } }),
    ownEndpoint: false,
    sweeps: false,
    locale: 'pt-BR',
    log,
    ...options,
  })
  const settled = async () => {
    await callEvents.settled()
  }
  rig.defer(async () => {
    await callEvents.close()
    await journal.close()
  })
  let seq = 0
  const happens = (callId: string, kind: string, data: object, at = new Date()) =>
    journal.event({ callId, seq: seq++, at, kind, leg: null, data } satisfies EventRow)
  return { callEvents, settled, messages, happens, lines }
}

const place = (unit: object | null = null, gate: string | null = null) => ({ tenant: TENANT, gate, unit })
const webhooks = (messages: Enqueued[]) =>
  messages
    .filter(({ channel }) => channel === 'webhook')
    .map(({ to, body }) => [to, (body as { type: string }).type] as const)

test('a call’s beginning, decision and end go to who wants them, without what was said', async (rig) => {
  const database = await openTestDatabase(rig)
  const all = await createEndpoint(database, TENANT, { url: 'https://all.example/' })
  const ends = await createEndpoint(database, TENANT, {
    url: 'https://ends.example/',
    events: ['call.ended'],
  })
  await createEndpoint(database, TENANT, { url: 'https://off.example/', enabled: false })
  const { callEvents, messages, happens, settled } = openCallEvents(rig, database, { ownEndpoint: true })
  const callId = randomUUID()
  const at = new Date('2026-01-05T12:00:00.000Z')
  const unit = { id: '7', number: '101' }
  happens(callId, 'started', { tenant: TENANT, gate: 'front', node: 'n' }, at)
  happens(callId, 'speech', { text: 'sou o João' }, at)
  await settled()
  const decision = { verdict: 'denied', by: 'resident', via: 'key' } as const
  // nobody hears of a decision by the journal: it may not be durable yet
  happens(callId, 'decided', { ...place(unit, 'front'), ...decision }, at)
  await settled()
  assert.is(messages.length, 2)
  await database.transaction((transaction) =>
    callEvents.writeDecided(
      transaction,
      callId,
      { ...decision, at: at.getTime() },
      place(unit, 'front') as CallPlace,
    ),
  )
  happens(
    callId,
    'ended',
    { ...place(unit, 'front'), outcome: 'denied', reason: null, durations: { total: 9 } },
    at,
  )
  await settled()
  const [mine, own] = [all.endpoint.id, OWN_ENDPOINT]
  assert.equal(webhooks(messages), [
    [mine, 'call.started'],
    [own, 'call.started'],
    [mine, 'call.decided'],
    [own, 'call.decided'],
    [mine, 'call.ended'],
    [ends.endpoint.id, 'call.ended'],
    [own, 'call.ended'],
  ])
  assert.equal(messages[2]!.body, {
    type: 'call.decided',
    timestamp: at.toISOString(),
    data: {
      call_id: callId,
      tenant: TENANT,
      unit: '101',
      gate: 'front',
      verdict: 'denied',
      by: 'resident',
      via: 'key',
    },
  })
  assert.is(messages[2]!.callId, callId)
  assert.is(messages[2]!.idempotencyKey, `call.decided:${callId}:${mine}`)
  assert.not.ok(JSON.stringify(messages).includes('João'))
})

test('events wait while the database is away', async (rig) => {
  const database = await openTestDatabase(rig)
  const { endpoint } = await createEndpoint(database, TENANT, { url: 'https://all.example/' })
  let away = false
  const flaky: Database = {
    ...database,
    query: (text, values) =>
      away ? Promise.reject(fail('DATABASE_UNREACHABLE', { reason: 'test' })) : database.query(text, values),
  }
  const { callEvents, messages, happens, settled } = openCallEvents(rig, flaky)
  const callId = randomUUID()
  happens(callId, 'started', { tenant: TENANT, gate: null, node: 'n' })
  await settled()
  away = true
  happens(callId, 'ended', { ...place(), outcome: 'denied', reason: null, durations: null })
  assert.ok(callEvents.counts().waiting > 0)
  away = false
  await settled()
  assert.equal(webhooks(messages), [
    [endpoint.id, 'call.started'],
    [endpoint.id, 'call.ended'],
  ])
})

test('residents who were not reached get a note if the tenant has set so', async (rig) => {
  const database = await openTestDatabase(rig)
  await importDirectory(database, TENANT, [
    {
      number: '101',
      label: 'apartamento 101',
      residents: [
        { name: 'Ana', phone: '1001', whatsapp: '+5511987654321' },
        { name: 'Bia', whatsapp: '+5511912345678', notify: false },
        { name: 'Caio', phone: '1002' },
      ],
    },
  ])
  const unit = (await unitOf(database, TENANT, '101'))!
  const ended = (outcome: string, wanted: object | null = { id: unit.id, number: '101' }) => ({
    ...place(wanted),
    outcome,
    reason: null,
    durations: null,
  })
  const { messages, happens, settled } = openCallEvents(rig, database)
  happens(randomUUID(), 'ended', ended('unanswered'))
  await settled()
  assert.is(messages.length, 0, 'nobody asked for notes')
  const file = JSON.stringify({ tenant: { id: TENANT, name: 'House', notifyUnreached: true }, units: [] })
  const { tenant } = parseDirectory(Buffer.from(file))
  await importDirectory(database, TENANT, [], { tenant: tenant! })
  const callId = randomUUID()
  happens(callId, 'ended', ended('unanswered'))
  happens(randomUUID(), 'ended', ended('unreachable', null))
  for (const outcome of ['authorized', 'denied', 'abandoned', 'blocked', 'expired'])
    happens(randomUUID(), 'ended', ended(outcome))
  // somebody was on the line and left it undecided
  for (const reason of ['undecided', 'resident-left'])
    happens(randomUUID(), 'ended', { ...ended('unanswered'), reason })
  await settled()
  assert.equal(
    messages.map(({ channel, to, idempotencyKey }) => [channel, to, idempotencyKey]),
    [['whatsapp', '+5511987654321', `unreached:${callId}:${unit.residents[0]!.id}`]],
  )
  assert.match((messages[0]!.body as { text: string }).text, /apartamento 101/)
  await database.query(`update tenants set locale = 'en' where id = $1`, [TENANT])
  happens(randomUUID(), 'ended', ended('unreachable'))
  // a note of yesterday's visit helps nobody
  happens(randomUUID(), 'ended', ended('unanswered'), new Date(Date.now() - 2 * 60 * 60 * 1000))
  await settled()
  assert.is(messages.length, 2)
  assert.match((messages[1]!.body as { text: string }).text, /nobody answered/)
})

test('an outside dialler gets the telephones to ring, for as long as they ring', async (rig) => {
  const database = await openTestDatabase(rig)
  const { endpoint } = await createEndpoint(database, TENANT, {
    url: 'https://pbx.example/',
    events: ['resident.wanted'],
  })
  const { callEvents, messages, settled } = openCallEvents(rig, database)
  const callId = randomUUID()
  const attemptId = randomUUID()
  callEvents.residentWanted({
    callId,
    tenantId: TENANT,
    attemptId,
    unit: '101',
    number: '1001',
    ringMs: 30_000,
  })
  callEvents.residentWanted({ callId, tenantId: TENANT, attemptId, unit: '101', number: '1001', ringMs: 0 })
  await settled()
  assert.is(messages.length, 1)
  const [message] = messages
  assert.equal([message!.to, message!.priority], [endpoint.id, 10])
  assert.equal((message!.body as { data: unknown }).data, {
    call_id: callId,
    tenant: TENANT,
    unit: '101',
    attempt: attemptId,
    number: '1001',
    ring_ms: 30_000,
  })
})

test("trouble with an endpoint is posted to the tenant's other endpoints", async (rig) => {
  const database = await openTestDatabase(rig)
  const ill = await createEndpoint(database, TENANT, { url: 'https://ill.example/' })
  const well = await createEndpoint(database, TENANT, { url: 'https://well.example/' })
  const { callEvents, messages, settled } = openCallEvents(rig, database, { ownEndpoint: true })
  callEvents.endpointTrouble('endpoint.paused', { tenantId: TENANT, id: ill.endpoint.id, failures: 5 })
  await settled()
  assert.equal(webhooks(messages), [
    [well.endpoint.id, 'endpoint.paused'],
    [OWN_ENDPOINT, 'endpoint.paused'],
  ])
})

test('what a killed process did not enqueue is derived again from the journal, and what it did is not doubled', async (rig) => {
  const database = await openTestDatabase(rig)
  await createEndpoint(database, TENANT, { url: 'https://all.example/' })
  const place = { tenant: TENANT, gate: null }
  const [lost, late] = [randomUUID(), randomUUID()]
  const event = (callId: string, kind: string): EventRow => ({
    ...{ callId, seq: 0, at: new Date(), kind, leg: null },
    data: { ...place, unit: null, verdict: 'denied', by: 'resident', via: 'key' },
  })
  // written, and then its process was killed
  await writeBatch(database, { calls: [], events: [event(lost, 'started')] })
  const first = openCallEvents(rig, database, { sweeps: true, everyMs: 20 })
  await eventually(() => first.messages.length === 1 || undefined)
  await writeBatch(database, {
    calls: [],
    events: [event(late, 'started'), { ...event(late, 'key'), seq: 1 }],
  })
  const messages = await eventually(() => (first.messages.length === 2 ? first.messages : undefined))
  assert.equal(
    messages.map(({ callId, body }) => [callId, body['type']]),
    [
      [lost, 'call.started'],
      [late, 'call.started'],
    ],
  )
  // a message's key is that of the event, whoever enqueues it
  first.happens(late, 'started', event(late, 'started').data as object)
  await first.settled()
  assert.is(first.messages[2]!.idempotencyKey, first.messages[1]!.idempotencyKey)
  await eventually(async () => {
    const [row] = await database.query<{ done: boolean }>(
      'select after_id = (select max(id) from call_events) as done from call_event_cursor',
    )
    return row!.done || undefined
  })
})

test('what the process of the call has enqueued is not enqueued again', async (rig) => {
  const database = await openTestDatabase(rig)
  const { endpoint } = await createEndpoint(database, TENANT, { url: 'https://all.example/' })
  const [sent, owed] = [randomUUID(), randomUUID()]
  await database.query(
    `insert into messages (id, job_id, tenant_id, instance_id, channel, recipient, body, priority, status, max_retries,
       retry_delay_ms, queue, idempotency_key)
     values ($1, $1, $2, 'default', 'webhook', $3, '{}', 5, 'pending', 1, 1, 'webhook', $4)`,
    [randomUUID(), TENANT, endpoint.id, `call.started:${sent}:${endpoint.id}`],
  )
  const started = (callId: string): EventRow => ({
    ...{ callId, seq: 0, at: new Date(), kind: 'started', leg: null },
    data: { tenant: TENANT, gate: null },
  })
  await writeBatch(database, { calls: [], events: [sent, owed].map(started) })
  const { messages } = openCallEvents(rig, database, { sweeps: true, everyMs: 20 })
  await eventually(async () => {
    const [row] = await database.query<{ done: boolean }>(
      'select after_id = (select max(id) from call_events) as done from call_event_cursor',
    )
    return row!.done || undefined
  })
  assert.equal(
    messages.map(({ callId }) => callId),
    [owed],
  )
})

test.run()
