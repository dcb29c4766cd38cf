import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import * as assert from 'uvu/assert'
import { createJournal } from '../../src/calls/journal.ts'
import { endOrphanedCalls } from '../../src/calls/recovery/orphaned-calls.ts'
import { type CallRow, type EventRow, eventsOf, findCall, writeBatch } from '../../src/calls/sql/calls.ts'
import { endOrphanedRows } from '../../src/calls/sql/orphaned-calls.ts'
import type { CallSnapshot } from '../../src/calls/sql/snapshots.ts'
import { writeNode } from '../../src/cluster/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openTestDatabase } from '../rig/database.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('lost calls')

const MINUTE = 60_000
const NO_FILES = { ends: async () => [], remove: () => {} }
const QUERY = { longestMs: 10 * MINUTE, reattachSeconds: 15, living: [], eventsOf: () => [] }

function call(ageMs: number): CallRow {
  return {
    id: randomUUID(),
    tenantId: 'default',
    nodeId: 'voice-1',
    gate: null,
    unitId: null,
    unitNumber: null,
    state: 'reaching.searching',
    startedAt: new Date(Date.now() - ageMs),
    endedAt: null,
    outcome: null,
    reason: null,
    decision: null,
    durations: null,
  }
}

test('a call that cannot live any more is ended and says so; a younger one is left alone', async (rig) => {
  const database = await openTestDatabase(rig)
  const [old, young] = [call(11 * MINUTE), call(9 * MINUTE)]
  await writeBatch(database, { calls: [old, young], events: [] })
  const journal = createJournal({ write: (batch) => writeBatch(database, batch), log: silentLog() })
  rig.defer(() => journal.close())
  const closed: string[] = []
  const asking = { close: (callId: string) => void closed.push(callId) }
  const heard: EventRow[] = []
  journal.subscribe((event) => heard.push(event))
  const lost = endOrphanedCalls({
    ...{
      database,
      files: NO_FILES,
      journal,
      asking,
      recordings: tmpdir(),
      reattachSeconds: 0,
      living: () => [],
    },
    callMaxMs: 5 * MINUTE,
    log: silentLog(),
  })
  rig.defer(() => lost.stop())
  const ended = await eventually(async () => {
    const row = await findCall(database, old.id)
    return row?.endedAt ? row : undefined
  })
  assert.equal([ended.state, ended.outcome, ended.reason], ['ended', 'abandoned', 'fault'])
  await lost.stop()
  await journal.flush()
  assert.equal(
    (await eventsOf(database, old.id, 10)).map(({ kind }) => kind),
    ['lost', 'ended'],
  )
  assert.equal(heard.at(-1)?.data, {
    ...{ tenant: 'default', gate: null, unit: null, outcome: 'abandoned', reason: 'fault', durations: null },
  })
  assert.equal(closed, [old.id], 'nobody is asked about it any more')
  assert.is((await findCall(database, young.id))?.endedAt, null)
  assert.equal(await endOrphanedRows(database, QUERY), [])
})

test('a call that its node has forgotten, because it was started again, is ended at once', async (rig) => {
  const database = await openTestDatabase(rig)
  const [before, after, elsewhere] = [call(2 * MINUTE), call(0), { ...call(2 * MINUTE), nodeId: 'voice-2' }]
  await writeBatch(database, { calls: [before, after, elsewhere], events: [] })
  const live = async (startedAgoMs: number, seconds = 0) => {
    const instance = randomUUID()
    const startedAt = new Date(Date.now() - startedAgoMs)
    const node = { instance, nodeId: 'voice-1', roles: ['voice'], addresses: {}, startedAt, status: null }
    await writeNode(database, node)
    await database.query(`update nodes set seen_at = now() - $2 * interval '1 s' where instance = $1`, [
      instance,
      seconds,
    ])
    return instance
  }
  const end = async () => (await endOrphanedRows(database, QUERY)).length
  await live(MINUTE)
  // the one before may still have it: its lease is not over
  const old = await live(3 * MINUTE, 10)
  assert.is(await end(), 0)
  await database.query(`update nodes set seen_at = now() - interval '17 s' where instance = $1`, [old])
  assert.is(await end(), 1)
  const rows = await Promise.all([before, after, elsewhere].map(({ id }) => findCall(database, id)))
  assert.equal(
    rows.map((row) => row?.outcome),
    ['abandoned', null, null],
  )
})

test('the last word of a call that did live replaces it', async (rig) => {
  const database = await openTestDatabase(rig)
  const one = call(11 * MINUTE)
  await writeBatch(database, { calls: [one], events: [] })
  assert.is((await endOrphanedRows(database, QUERY)).length, 1)
  const end = { ...one, state: 'ended', endedAt: new Date(), outcome: 'authorized' as const }
  await writeBatch(database, { calls: [end], events: [] })
  assert.is((await findCall(database, one.id))?.outcome, 'authorized')
})

test('the last events of an orphaned call are in the same transaction, with the beginning of a call that began anew', async (rig) => {
  const database = await openTestDatabase(rig)
  const one = call(11 * MINUTE)
  const started = { ...({ callId: one.id, seq: 0, at: new Date(), kind: 'started', leg: null } as const) }
  await writeBatch(database, {
    calls: [one],
    events: [
      { ...started, data: {} },
      { ...started, seq: 5, data: { beginning: 'b1' } },
    ],
  })
  // its process is killed before its journal writes anything
  const journal = { event: () => {} }
  const lost = endOrphanedCalls({
    ...{ database, files: NO_FILES, journal, recordings: tmpdir(), reattachSeconds: 0, living: () => [] },
    asking: { close: () => {} },
    callMaxMs: 5 * MINUTE,
    log: silentLog(),
  })
  rig.defer(() => lost.stop())
  await eventually(async () => (await findCall(database, one.id))?.endedAt ?? undefined)
  const [last] = (await eventsOf(database, one.id, 10)).toReversed()
  assert.equal([last!.kind, last!.seq, (last!.data as { beginning: string }).beginning], ['ended', 8, 'b1'])
})

test('a kept call waits for its visitor as long as it may, and says what was decided', async (rig) => {
  const database = await openTestDatabase(rig)
  const decision = { verdict: 'authorized', by: 'Ana', via: 'key', at: 1_750_000_000_000 }
  const one = { ...call(MINUTE), decision, unitId: '7', unitNumber: '101' }
  const instance = randomUUID()
  const kept: CallSnapshot = {
    ...{ callId: one.id, tenantId: 'default', gate: null, startedAt: one.startedAt, instance },
    machines: '1',
    snapshot: {},
    facts: { visitor: { name: null, intent: null }, recordings: [] },
  }
  await writeBatch(database, { calls: [one], events: [], snapshots: [kept] })
  const keptAgo = (seconds: number) =>
    database.query(`update kept_calls set kept_at = now() - $1 * interval '1 s'`, [seconds])
  await keptAgo(15)
  assert.equal(await endOrphanedRows(database, QUERY), [])
  await keptAgo(17)
  assert.equal(await endOrphanedRows(database, QUERY), [
    {
      ...{ id: one.id, tenantId: 'default', gate: null, unit: { id: '7', number: '101' } },
      decision,
      outcome: 'authorized',
      reason: 'fault',
      beginning: null,
      seq: 0,
    },
  ])
  assert.equal(await database.query('select from kept_calls'), [])
})

test('a call whose goodbyes had begun ends as it was about to, and not by a fault', async (rig) => {
  const database = await openTestDatabase(rig)
  const decision = { verdict: 'authorized', by: 'Ana', via: 'key', at: 1_750_000_000_000 }
  const lost = async (
    ending: { outcome: string; reason: string | null },
    decided: unknown,
    farewellAt: number,
  ) => {
    const one = { ...call(MINUTE), decision: decided }
    await writeBatch(database, {
      calls: [one],
      events: [],
      snapshots: [
        {
          ...{ callId: one.id, tenantId: 'default', gate: null, startedAt: one.startedAt, machines: '1' },
          instance: randomUUID(),
          snapshot: {
            context: { ending },
            children: { concluding: { snapshot: { value: 'farewell', context: { farewellAt } } } },
          },
          facts: { visitor: { name: null, intent: null }, recordings: [] },
        },
      ],
    })
    await database.query(`update kept_calls set kept_at = now() - interval '17 s'`)
    const [{ outcome, reason } = assert.unreachable() as never] = await endOrphanedRows(database, QUERY)
    const row = await findCall(database, one.id)
    assert.equal([row!.outcome, row!.reason], [outcome, reason])
    return [outcome, reason]
  }
  const authorized = { outcome: 'authorized', reason: null }
  const unanswered = { outcome: 'unanswered', reason: 'no-answer' }
  assert.equal(await lost(authorized, decision, 1), ['authorized', null])
  assert.equal(await lost(unanswered, null, 1), ['unanswered', 'no-answer'])
  assert.equal(await lost(unanswered, null, 0), ['abandoned', 'fault'], 'they had not heard it')
  assert.equal(await lost(authorized, null, 1), ['abandoned', 'fault'], 'a decision that is in no books')
  assert.equal(await lost(unanswered, decision, 1), ['authorized', 'fault'], 'the books come first')
})

test.run()
