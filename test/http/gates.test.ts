import * as assert from 'uvu/assert'
import { writeBatch } from '../../src/calls/index.ts'
import { listGateCommands, saveGate } from '../../src/gates/index.ts'
import { fail } from '../../src/platform/errors.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { ADMIN_KEY, addMessage, openSite, refused } from '../rig/http-rig.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('http: who opens a gate')

const CALL = '3b0f6c1e-58a4-4a6e-9f0c-0d6b1f2a7c11'
const GATE = { kind: 'webhook', url: 'https://gate.example/open' } as const

/** A call of the tenant `default`. */
async function addCall(database: Database): Promise<void> {
  const row = {
    id: CALL,
    tenantId: 'default',
    nodeId: 'a',
    gate: null,
    unitId: null,
    unitNumber: null,
    state: 'attending',
    startedAt: new Date(),
    endedAt: null,
    outcome: null,
    reason: null,
    decision: null,
    durations: null,
  }
  await database.transaction((transaction) =>
    writeBatch(transaction, { calls: [row], events: [], snapshots: [], instance: crypto.randomUUID() }),
  )
}

const COMMAND = {
  channel: 'gate',
  to: 'default',
  body: {
    type: 'gate.open',
    id: CALL,
    timestamp: '2026-11-21T15:00:00Z',
    expires_at: '2036-11-21T15:00:30Z',
    data: { call_id: CALL, tenant: 'default', gate: 'default', unit: null, by: 'resident', via: 'key' },
  },
}
const FORGED = {
  channel: 'webhook',
  to: 'environment',
  body: { type: 'call.decided', timestamp: '2026-11-21T15:00:00Z', data: { verdict: 'authorized' } },
}
const RECORDING = {
  channel: 'whatsapp',
  to: '+5511987654321',
  body: { type: 'audio', callId: CALL, recording: 'identity' },
}

test('each way to a gate asks for the scope and the tenant, whoever comes', async (rig) => {
  const { ask, as, database, commands } = await openSite(rig, { admit: async () => {} })
  await addCall(database)
  for (const tenant of ['default', 'other']) await saveGate(database, tenant, 'default', GATE)
  const keys = {
    reader: (await as('default', 'read')).ask,
    readerOfAll: (await as(null, 'read')).ask,
    operator: (await as('default', 'operate')).ask,
    foreign: (await as('other', 'operate')).ask,
    all: ask,
    nobody: ((path, options) => ask(path, { ...options, key: null })) as typeof ask,
  }
  const ways = {
    open: ['/api/gates/default/open?tenant=default', { reason: 'gardener' }],
    command: ['/api/messages', { ...COMMAND, tenant: 'default' }],
    forged: ['/api/messages', { ...FORGED, tenant: 'default' }],
    decision: [`/api/calls/${CALL}/decision`, { verdict: 'authorized' }],
    recording: ['/api/messages', { ...RECORDING, tenant: 'default' }],
    // as its own tenant
    recordingOfOthers: ['/api/messages', RECORDING],
  } as const
  const answers: Record<string, unknown> = {}
  for (const [name, askAs] of Object.entries(keys)) {
    const told: Record<string, unknown> = {}
    for (const [way, [path, body]] of Object.entries(ways)) {
      const { status, body: said } = await askAs(path, { method: 'POST', body })
      told[way] = said?.error?.code ?? status
    }
    answers[name] = told
  }
  const none = (code: string) => Object.fromEntries(Object.keys(ways).map((way) => [way, code]))
  assert.equal(answers, {
    reader: none('KEY_SCOPE'),
    readerOfAll: none('KEY_SCOPE'),
    nobody: none('KEY_MISSING'),
    operator: {
      open: 202,
      command: 'BODY_INVALID',
      forged: 'ENDPOINT_UNKNOWN',
      decision: 200,
      recording: 202,
      recordingOfOthers: 202,
    },
    foreign: {
      open: 'TENANT_UNKNOWN',
      command: 'BODY_INVALID',
      forged: 'TENANT_UNKNOWN',
      decision: 'CALL_UNKNOWN',
      recording: 'TENANT_UNKNOWN',
      recordingOfOthers: 'CALL_UNKNOWN',
    },
    all: {
      open: 202,
      command: 'BODY_INVALID',
      forged: 202,
      decision: 200,
      recording: 202,
      recordingOfOthers: 202,
    },
  })
  assert.is(commands.length, 2)
  assert.equal(await listGateCommands(database, 'other', { limit: 10 }), [])
})

test('a message that would open or tell is sent again, or taken back, by its own tenant only', async (rig) => {
  const { as, ask, database } = await openSite(rig, { admit: async () => {} })
  await addCall(database)
  const dead = async ({ channel, to, body }: { channel: string; to: string; body: object }) => {
    const id = await addMessage(database, { tenantId: 'default', channel, to, status: 'failed' })
    await database.query('update messages set body = $2 where id = $1', [id, JSON.stringify(body)])
    return id
  }
  const ids = await Promise.all([COMMAND, FORGED, RECORDING].map(dead))
  const bodies = () =>
    database.query<{ body: object }>('select body from messages where id = any($1) order by id', [ids])
  const before = await bodies()
  const foreign = (await as('other', 'operate')).ask
  const reader = (await as('default', 'read')).ask
  for (const id of ids) {
    for (const action of ['retry', 'cancel']) {
      refused(await foreign(`/api/messages/${id}/${action}`, { method: 'POST' }), 404, 'MESSAGE_UNKNOWN')
      refused(await reader(`/api/messages/${id}/${action}`, { method: 'POST' }), 403, 'KEY_SCOPE')
    }
    refused(await foreign(`/api/messages/${id}`), 404, 'MESSAGE_UNKNOWN')
  }
  const redrive = (askAs: typeof ask, body: object) =>
    askAs('/api/queue/dead/redrive', { method: 'POST', body })
  for (const filter of [{ ids }, { call: CALL }, { channel: 'gate' }, {}])
    assert.equal((await redrive(foreign, filter)).body, { redriven: 0 })
  refused(await redrive(foreign, { tenant: 'default', ids }), 404, 'TENANT_UNKNOWN')
  refused(await redrive(reader, { ids }), 403, 'KEY_SCOPE')
  const { rows } = await database.pool.query('select distinct status from messages where id = any($1)', [ids])
  assert.equal(rows, [{ status: 'failed' }])
  // what a message says is nobody's to change on the way
  const operator = (await as('default', 'operate')).ask
  await operator(`/api/messages/${ids[0]}/retry`, { method: 'POST', body: COMMAND.body })
  assert.equal(await bodies(), before)
})

test('a recording is named by no way around its tenant', async (rig) => {
  const { as, database } = await openSite(rig, { admit: async () => {} })
  await addCall(database)
  const { ask } = await as('other', 'operate')
  const send = (message: object) => ask('/api/messages', { method: 'POST', body: message })
  const text = { channel: 'whatsapp', to: '+5511987654321', body: { type: 'text', text: 'oi' } }
  for (const message of [
    RECORDING,
    { ...RECORDING, body: { ...RECORDING.body, callId: CALL.toUpperCase() } },
    { ...RECORDING, callId: crypto.randomUUID() },
    { ...text, callId: CALL },
    { ...text, channel: 'twilio', callId: CALL.toUpperCase() },
    { channel: 'webhook', to: crypto.randomUUID(), body: FORGED.body, callId: CALL },
  ])
    refused(await send(message), 404, 'CALL_UNKNOWN')
  refused(await ask(`/api/calls/${CALL}/recordings/identity`), 404, 'CALL_UNKNOWN')
})

test('a gate that is opened by hand has a command of its own each time, with who and why', async (rig) => {
  const { as, database } = await openSite(rig)
  await saveGate(database, 'default', 'default', GATE)
  const { ask } = await as('default', 'operate')
  const open = (body: object, id = 'default') => ask(`/api/gates/${id}/open`, { method: 'POST', body })
  const first = await open({ reason: 'the gardener rang' })
  const second = await open({})
  assert.equal([first.status, second.status], [202, 202])
  assert.is.not(first.body.id, second.body.id)
  refused(await open({}, 'back'), 404, 'GATE_UNKNOWN')
  refused(await open({ reason: '' }), 400, 'BODY_INVALID')
  const rows = await listGateCommands(database, 'default', { limit: 10 })
  assert.equal(
    rows
      .map(({ id, callId, by, via, audit }) => ({ id, callId, by, via, reason: audit[0]?.['reason'] }))
      .toReversed(),
    [
      { id: first.body.id, callId: null, by: 'key of default', via: 'api', reason: 'the gardener rang' },
      { id: second.body.id, callId: null, by: 'key of default', via: 'api', reason: undefined },
    ],
  )
})

test('a rotated secret signs for another day, or for as long as is asked', async (rig) => {
  const { ask } = await (await openSite(rig)).as('default', 'admin')
  const put = async (query: string) =>
    (await ask(`/api/gates/default${query}`, { method: 'PUT', body: GATE })).body
  assert.is((await put('')).gate.oldSecretUntil, null)
  const { gate, secret } = await put('?rotate=true')
  assert.match(secret, /^whsec_/)
  const hours = (Date.parse(gate.oldSecretUntil) - Date.now()) / 3_600_000
  assert.ok(hours > 23 && hours <= 24.1, `${hours} h`)
  assert.is((await put('?rotate=true&overlapMs=0')).gate.oldSecretUntil, null)
  for (const overlapMs of ['-1', '1.5', '2592000001', 'a'])
    refused(
      await ask(`/api/gates/default?rotate=true&overlapMs=${overlapMs}`, { method: 'PUT', body: GATE }),
      400,
      'BODY_INVALID',
    )
})

test('a right key that is new here is not locked out by the wrong ones behind its address', async (rig) => {
  const { ask, as } = await openSite(rig)
  for (let at = 0; at < 21; at++) await ask('/api/calls', { key: `ptr_wrong${at}` })
  refused(await ask('/api/calls', { key: 'ptr_wrong_again' }), 429, 'AUTH_RATE_LIMITED')
  assert.is((await (await as('default', 'read')).ask('/api/calls')).status, 200)
  assert.is((await ask('/api/calls', { key: ADMIN_KEY })).status, 200)
})

test('a gate opens by hand while the database is away, for a key that was verified before', async (rig) => {
  const database = await openTestDatabase(rig)
  let away = false
  const guard = <T>(work: () => Promise<T>): Promise<T> =>
    away ? Promise.reject(fail('DATABASE_UNREACHABLE', { reason: 'test' })) : work()
  const furnished = {
    ...database,
    query: (...given: Parameters<Database['query']>) => guard(() => database.query(...given)),
    transaction: (run: Parameters<Database['transaction']>[0]) => guard(() => database.transaction(run)),
  } as Database
  const { as } = await openSite(rig, { furnished })
  await saveGate(database, 'default', 'default', GATE)
  const operator = await as('default', 'operate')
  const reader = await as('default', 'read')
  const unseen = await as('default', 'operate')
  const open = ({ ask }: typeof operator) => ask('/api/gates/default/open', { method: 'POST', body: {} })
  assert.is((await open(operator)).status, 202)
  refused(await open(reader), 403, 'KEY_SCOPE')
  away = true
  assert.is((await open(operator)).status, 202)
  refused(await open(reader), 403, 'KEY_SCOPE')
  refused(await open(unseen), 503, 'AUTH_UNAVAILABLE')
  away = false
  await eventually(
    async () => (await listGateCommands(database, 'default', { limit: 9 })).length === 2 || undefined,
  )
})

test.run()
