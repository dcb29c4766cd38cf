import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { endLost } from '../src/calls/lost.ts'
import { silentLog } from '../src/log.ts'
import { type CallRow, eventsOf, findCall, writeBatch } from '../src/store/calls.ts'
import { endLostCalls } from '../src/store/lost-calls.ts'
import { openTestDatabase } from './database.ts'
import { eventually, suite } from './rig.ts'

const test = suite('lost calls')

const MINUTE = 60_000

function call(ageMs: number): CallRow {
  return {
    id: randomUUID(),
    tenantId: 'default',
    nodeId: 'voice-1',
    gate: null,
    unitId: null,
    unitNumber: null,
    state: 'contacting',
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
  const lost = endLost({ database, callMaxMs: 5 * MINUTE, log: silentLog() })
  rig.defer(() => lost.stop())
  const ended = await eventually(async () => {
    const row = await findCall(database, old.id)
    return row?.endedAt ? row : undefined
  })
  assert.equal([ended.state, ended.outcome, ended.reason], ['ended', 'abandoned', 'fault'])
  await lost.stop()
  assert.equal(
    (await eventsOf(database, old.id, 10)).map(({ kind }) => kind),
    ['lost'],
  )
  assert.is((await findCall(database, young.id))?.endedAt, null)
  assert.is(await endLostCalls(database, 10 * MINUTE), 0)
})

test('the last word of a call that did live replaces it', async (rig) => {
  const database = await openTestDatabase(rig)
  const one = call(11 * MINUTE)
  await writeBatch(database, { calls: [one], events: [] })
  assert.is(await endLostCalls(database, 10 * MINUTE), 1)
  const end = { ...one, state: 'ended', endedAt: new Date(), outcome: 'authorized' as const }
  await writeBatch(database, { calls: [end], events: [] })
  assert.is((await findCall(database, one.id))?.outcome, 'authorized')
})

test.run()
