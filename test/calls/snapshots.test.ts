import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { type CallRow, type EventRow, findCall, writeBatch } from '../../src/calls/sql/calls.ts'
import { endOrphanedRows } from '../../src/calls/sql/orphaned-calls.ts'
import {
  type CallSnapshot,
  callsAwaitingVisitor,
  claimCalls,
  hasSnapshot,
  lacksProcess,
  locateCall,
} from '../../src/calls/sql/snapshots.ts'
import { openTopics, writeNode } from '../../src/cluster/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { type Database, openDatabase } from '../../src/platform/postgres/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('kept calls')

/** A process as the others see it: a lease, and a connection on which it listens. */
async function openProcess(rig: Rig, database: Database, nodeId: string) {
  const instance = randomUUID()
  const topics = await openTopics({ database, instance, log: silentLog() })
  rig.defer(() => topics.close())
  const addresses = { resident: `${nodeId}:8081` }
  const node = { instance, nodeId, roles: ['voice'], addresses, startedAt: new Date(), status: null }
  await writeNode(database, node)
  return {
    instance,
    /** As kill -9 does it. */
    async die() {
      await topics.close()
      await eventually(async () => {
        const rows = await database.query('select from pg_stat_activity where application_name like $1', [
          `%${instance}`,
        ])
        return rows.length === 0 ? true : undefined
      })
    },
    /** Of one call, as the journal's batch writes it. */
    write: (call: CallRow, events: EventRow[] = [], snapshot: unknown = { by: nodeId }) =>
      writeBatch(database, {
        calls: [{ ...call, nodeId }],
        events,
        snapshots: call.endedAt ? [] : [snapshotOf(call, instance, snapshot)],
        instance,
      }),
    recall: async (...ids: string[]) => claimCalls(database, { ids, instance }),
    locate: (uuid: string) => locateCall(database, { uuid, instance }),
  }
}

function call(): CallRow {
  return {
    ...{ id: randomUUID(), tenantId: 'default', nodeId: '-', gate: null, unitId: null, unitNumber: null },
    ...{ state: 'attending', startedAt: new Date(), endedAt: null, outcome: null, reason: null },
    ...{ decision: null, durations: null },
  }
}

/** The UUID that the telephone of a call's only attempt brings. */
function legOf(callId: string): string {
  return callId.replace(/^.{8}/, '00000000')
}

function snapshotOf(
  { id: callId, tenantId, gate, startedAt }: CallRow,
  instance: string,
  snapshot: unknown,
): CallSnapshot {
  const legs = { [`${callId}-1`]: legOf(callId) }
  const facts = { visitor: { name: null, intent: null }, wanted: null, legs, recordings: ['identity'] }
  return { callId, tenantId, gate, startedAt, instance, machines: 'm', snapshot, facts }
}

test('an arriving call is new, ended, restored or elsewhere; one query distinguishes many', async (rig) => {
  const database = await openTestDatabase(rig)
  const [lost, alive, own] = [
    await openProcess(rig, database, 'lost'),
    await openProcess(rig, database, 'alive'),
    await openProcess(rig, database, 'own'),
  ]
  const [left, held, over, begun] = [call(), call(), call(), call()]
  const at = new Date()
  const event = (seq: number): EventRow => ({
    callId: left.id,
    seq,
    at,
    kind: 'key',
    leg: 'visitor',
    data: {},
  })
  await lost.write(left, [event(0), event(1)])
  await alive.write(held)
  await own.write({ ...over, state: 'ended', endedAt: at, outcome: 'abandoned' })
  await writeBatch(database, { calls: [begun], events: [{ ...event(0), callId: begun.id }] })
  await lost.die()
  const nobody = randomUUID()
  const found = await own.recall(nobody, over.id, held.id, left.id, begun.id)
  assert.equal(
    found.map(({ is }) => is),
    ['new', 'ended', 'elsewhere', 'claimed', 'new'],
  )
  assert.equal(
    found.map((one) => 'seq' in one && one.seq),
    [0, false, false, 2, 1],
  )
  const kept = found[3]!
  assert.ok(kept.is === 'claimed')
  assert.equal(kept.call, snapshotOf(left, own.instance, { by: 'lost' }))
  assert.equal([kept.before.instance, kept.before.nodeId], [lost.instance, 'lost'])
  for (const uuid of [held.id, legOf(held.id)]) {
    const found = await own.locate(uuid)
    assert.equal([found?.callId, found?.tenantId], [held.id, 'default'], 'by the call or by its telephone')
    assert.is(found?.addresses.resident, 'alive:8081')
  }
  for (const id of [left.id, legOf(left.id), over.id, nobody]) assert.is(await own.locate(id), undefined)
})

test('a call was silent since the last sign of its process, or since it was kept', async (rig) => {
  const database = await openTestDatabase(rig)
  const [lost, own] = [await openProcess(rig, database, 'lost'), await openProcess(rig, database, 'own')]
  const one = call()
  await lost.write(one)
  await lost.die()
  await database.query(`update nodes set seen_at = now() - interval '30 s' where instance = $1`, [
    lost.instance,
  ])
  await database.query(`update kept_calls set kept_at = now() - interval '90 s'`)
  const [found] = await own.recall(one.id)
  assert.ok(found?.is === 'claimed')
  const { silentMs } = found.before
  assert.ok(silentMs >= 30_000 && silentMs < 90_000, `${silentMs}`)
})

test('only one of several processes can claim a call', async (rig) => {
  const database = await openTestDatabase(rig)
  const lost = await openProcess(rig, database, 'lost')
  const others = await Promise.all(['a', 'b', 'c'].map((name) => openProcess(rig, database, name)))
  const calls = Array.from({ length: 10 }, call)
  for (const one of calls) await lost.write(one)
  await lost.die()
  const ids = calls.map(({ id }) => id)
  const found = await Promise.all(others.map(({ recall }) => recall(...ids)))
  for (const at of ids.keys())
    assert.equal(found.map((one) => one[at]!.is).sort(), ['claimed', 'elsewhere', 'elsewhere'])
})

test('a process that lost a call changes nothing of it any more', async (rig) => {
  const database = await openTestDatabase(rig)
  const [old, next] = [await openProcess(rig, database, 'old'), await openProcess(rig, database, 'next')]
  const one = call()
  await old.write(one)
  await old.die()
  assert.is((await next.recall(one.id))[0]!.is, 'claimed')
  await next.write({ ...one, state: 'reaching.searching' })
  await old.write({ ...one, state: 'matching' })
  await old.write({ ...one, state: 'ended', endedAt: new Date(), outcome: 'abandoned' })
  const row = await findCall(database, one.id)
  assert.equal([row?.nodeId, row?.state, row?.endedAt], ['next', 'reaching.searching', null])
  assert.ok(await hasSnapshot(database, one.id))
  await next.write({ ...one, state: 'ended', endedAt: new Date(), outcome: 'denied' })
  assert.is((await findCall(database, one.id))?.outcome, 'denied')
  assert.not(await hasSnapshot(database, one.id))
})

test('a call that began anew because nobody could ask is kept in the place of the lost one', async (rig) => {
  const database = await openTestDatabase(rig)
  const [old, next] = [await openProcess(rig, database, 'old'), await openProcess(rig, database, 'next')]
  const one = call()
  await old.write(one)
  await old.die()
  const anew = { ...one, startedAt: new Date(Date.now() + 1000) }
  await next.write(anew)
  const [found] = await next.recall(one.id)
  assert.ok(found?.is === 'claimed')
  assert.equal(found.call, snapshotOf(anew, next.instance, { by: 'next' }))
})

test('a live call is not ended, however long its process could send no heartbeat', async (rig) => {
  const database = await openTestDatabase(rig)
  const [own, other] = [await openProcess(rig, database, 'own'), await openProcess(rig, database, 'other')]
  const [mine, theirs] = [call(), call()]
  await own.write(mine)
  await other.write(theirs)
  const query = { longestMs: 600_000, reattachSeconds: 1, living: [mine.id], eventsOf: () => [] }
  const age = async (seconds: number) => {
    await database.query(`update nodes set seen_at = now() - $1 * interval '1 s'`, [seconds])
    await database.query(`update kept_calls set kept_at = now() - $1 * interval '1 s'`, [seconds])
  }
  // the connection on which it listened was cut; its lease holds
  await other.die()
  await age(15)
  assert.equal(await endOrphanedRows(database, query), [])
  await age(60)
  assert.equal(
    (await endOrphanedRows(database, query)).map(({ id }) => id),
    [theirs.id],
  )
  assert.ok(await hasSnapshot(database, mine.id))
})

test('a process is missing when it was killed on another node, until its successor has run for a while', async (rig) => {
  const database = await openTestDatabase(rig)
  const other = await openProcess(rig, database, 'other')
  assert.not(await lacksProcess(database, 'here'))
  await other.die()
  assert.ok(await lacksProcess(database, 'here'))
  assert.not(await lacksProcess(database, 'other'), 'its own disk knows its calls')
  const successor = await openProcess(rig, database, 'other')
  assert.ok(await lacksProcess(database, 'here'), 'visitors may still be on their way')
  await database.query(`update nodes set started_at = started_at - interval '2 minutes'`)
  assert.not(await lacksProcess(database, 'here'))
  await successor.die()
  assert.ok(await lacksProcess(database, 'here'))
})

test('options in DATABASE_URL do not hide that a process is alive', async (rig) => {
  const database = await openTestDatabase(rig)
  const named = await openDatabase({
    url: `${database.url}${database.url.includes('?') ? '&' : '?'}application_name=other`,
    schema: database.schema,
    dataDir: '.',
    log: silentLog(),
  })
  rig.defer(() => named.close())
  const [owner, own] = [await openProcess(rig, named, 'owner'), await openProcess(rig, named, 'own')]
  const one = call()
  await owner.write(one)
  assert.is((await own.recall(one.id))[0]!.is, 'elsewhere')
})

test('a call awaits its visitor while no process that lives has it', async (rig) => {
  const database = await openTestDatabase(rig)
  const [first, second] = [
    await openProcess(rig, database, 'first'),
    await openProcess(rig, database, 'second'),
  ]
  const [left, held, over, unkept] = [call(), call(), call(), call()]
  await first.write(left)
  await first.write(over)
  await first.write({ ...over, endedAt: new Date(), outcome: 'abandoned', state: 'ended' })
  await second.write(held)
  const ids = [left, held, over, unkept].map(({ id }) => id)
  assert.equal([...(await callsAwaitingVisitor(database, ids))], [])
  await first.die()
  assert.equal([...(await callsAwaitingVisitor(database, ids))], [left.id])
  assert.equal([...(await callsAwaitingVisitor(database, []))], [])
  await second.recall(left.id)
  assert.equal([...(await callsAwaitingVisitor(database, ids))], [], 'its visitor is back')
})

test.run()
