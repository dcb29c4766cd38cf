import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import {
  type CallRow,
  deleteOlderThan,
  type EventRow,
  endedSince,
  eventsOf,
  findCall,
  listCalls,
  writeBatch,
} from '../../src/calls/sql/calls.ts'
import {
  countKeys,
  createKey,
  findKey,
  hashKey,
  listKeys,
  revokeKey,
  touchKey,
} from '../../src/http/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { failure } from '../rig/failure.ts'
import { suite } from '../rig/rig.ts'

const test = suite('calls and keys')

const call = (changes: Partial<CallRow> = {}): CallRow => ({
  id: randomUUID(),
  tenantId: 'default',
  nodeId: 'node-1',
  gate: null,
  unitId: null,
  unitNumber: null,
  state: 'attending',
  startedAt: new Date('2026-01-02T03:04:05.678Z'),
  endedAt: null,
  outcome: null,
  reason: null,
  decision: null,
  durations: null,
  ...changes,
})
const event = (callId: string, seq: number, changes: Partial<EventRow> = {}): EventRow => ({
  callId,
  seq,
  at: new Date(1_767_000_000_000 + seq),
  kind: 'key.pressed',
  leg: 'visitor',
  data: { digit: '1' },
  ...changes,
})

test('reads back the calls and events of a batch as they were given', async (rig) => {
  const database = await openTestDatabase(rig)
  const ended = call({
    gate: 'social',
    unitId: '42',
    unitNumber: '101',
    state: 'ended',
    endedAt: new Date('2026-01-02T03:05:00Z'),
    outcome: 'authorized',
    reason: 'resident',
    decision: { verdict: 'authorized', via: 'key' },
    durations: { attending: 12.5 },
  })
  const live = call()
  const events = [event(live.id, 1, { leg: null, data: null }), event(live.id, 0)]
  await writeBatch(database, { calls: [ended, live], events })
  assert.equal(await findCall(database, ended.id), ended)
  assert.equal(await findCall(database, live.id), live)
  assert.is(await findCall(database, randomUUID()), undefined)
  assert.equal(await eventsOf(database, live.id, 10), [events[1], { ...events[0], data: {} }])
  assert.equal(await eventsOf(database, live.id, 1), [events[1]])
})

test('takes a batch again after a failure, and the last state of a call in it', async (rig) => {
  const database = await openTestDatabase(rig)
  const first = call()
  const batch = { calls: [first, { ...first, state: 'matching' }], events: [event(first.id, 0)] }
  await writeBatch(database, batch)
  await writeBatch(database, batch)
  assert.is((await findCall(database, first.id))?.state, 'matching')
  assert.is((await eventsOf(database, first.id, 10)).length, 1)
})

test('never brings an ended call back to life', async (rig) => {
  const database = await openTestDatabase(rig)
  const live = call()
  const ended = call({ id: live.id, state: 'ended', endedAt: new Date(), outcome: 'denied' })
  await writeBatch(database, { calls: [ended], events: [] })
  await writeBatch(database, { calls: [live], events: [] })
  assert.equal(await findCall(database, live.id), ended)
})

test('does not lose a batch to a character that Postgres cannot store', async (rig) => {
  const database = await openTestDatabase(rig)
  const { id } = call()
  const said = 'a\0b\ud800c \\u0000'
  await writeBatch(database, {
    calls: [call({ id, reason: said })],
    events: [event(id, 0, { data: { said } })],
  })
  assert.equal((await eventsOf(database, id, 1))[0]?.data, { said: 'ab\ufffdc \\u0000' })
  assert.is((await findCall(database, id))?.reason, 'ab\ufffdc \\u0000')
})

test('refuses an outcome that no call can have', async (rig) => {
  const database = await openTestDatabase(rig)
  const wrong = call({ endedAt: new Date(), outcome: 'lost' as 'denied' })
  assert.is((await failure(writeBatch(database, { calls: [wrong], events: [] }))).code, 'DATABASE_QUERY')
})

test('lists calls newest first, by tenant and by whether they live', async (rig) => {
  const database = await openTestDatabase(rig)
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
  const old = call({ startedAt: at(1), endedAt: at(5), outcome: 'expired', state: 'ended' })
  const live = call({ startedAt: at(2) })
  const other = call({ startedAt: at(3), tenantId: 'other' })
  await writeBatch(database, { calls: [old, live, other], events: [] })
  const ids = async (options: Parameters<typeof listCalls>[1]) =>
    (await listCalls(database, options)).map((row) => row.id)
  assert.equal(await ids({ limit: 10 }), [other.id, live.id, old.id])
  assert.equal(await ids({ limit: 10, tenantId: 'default' }), [live.id, old.id])
  assert.equal(await ids({ limit: 10, tenantId: 'default', live: true }), [live.id])
  assert.equal(await ids({ limit: 10, live: false }), [old.id])
  assert.equal(await ids({ limit: 1, before: at(3) }), [live.id])
  assert.equal(await endedSince(database, at(5)), [old.id])
  assert.equal(await endedSince(database, at(6)), [])
})

test('deletes what is past its retention with its events, in portions', async (rig) => {
  const database = await openTestDatabase(rig)
  const days = (count: number) => new Date(Date.now() - count * 86_400_000)
  const old = call({ startedAt: days(91), endedAt: days(91), outcome: 'denied', state: 'ended' })
  const lost = call({ startedAt: days(95) })
  const recent = call({ startedAt: days(91), endedAt: days(89), outcome: 'denied', state: 'ended' })
  const calls = [old, lost, recent]
  await writeBatch(database, { calls, events: calls.map(({ id }) => event(id, 0)) })
  const first = await deleteOlderThan(database, 90, 1)
  const second = await deleteOlderThan(database, 90, 1)
  assert.equal([...first, ...second].sort(), [old.id, lost.id].sort())
  assert.equal(await deleteOlderThan(database, 90), [])
  assert.equal(await database.query('select call_id as id from call_events'), [{ id: recent.id }])
})

test('knows a key by its hash alone until it is revoked', async (rig) => {
  const database = await openTestDatabase(rig)
  const { id, plain } = await createKey(database, {
    tenantId: null,
    name: 'desk',
    scopes: ['read', 'operate'],
  })
  assert.match(plain, /^ptr_[\w-]{43}$/)
  const [stored] = await database.query<{ hash: Buffer }>('select hash from api_keys')
  assert.ok(stored!.hash.equals(hashKey(plain)))
  const found = await findKey(database, plain)
  assert.equal(
    [found?.id, found?.scopes, found?.tenantId, found?.lastUsedAt],
    [id, ['read', 'operate'], null, null],
  )
  await touchKey(database, id)
  assert.instance((await findKey(database, plain))?.lastUsedAt, Date)
  assert.is(await findKey(database, `${plain}x`), undefined)
  assert.is(await countKeys(database), 1)
  assert.is(await revokeKey(database, id), true)
  assert.is(await revokeKey(database, id), false)
  assert.is(await findKey(database, plain), undefined)
  assert.is(await countKeys(database), 0)
  assert.instance((await listKeys(database))[0]?.revokedAt, Date)
})

test('refuses a key with a scope that does not exist', async (rig) => {
  const database = await openTestDatabase(rig)
  const wrong = createKey(database, { tenantId: null, name: 'desk', scopes: ['root' as 'read'] })
  assert.is((await failure(wrong)).code, 'DATABASE_QUERY')
})

test.run()
