import { randomUUID } from 'node:crypto'
import { readdir, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import {
  createCallFiles,
  createJournal,
  endOrphanedCalls,
  findCall,
  writeBatch,
} from '../../src/calls/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { openTestDatabase } from '../rig/database.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('files of live calls')

async function openFiles(rig: Rig) {
  const temp = await createTempDir('calls')
  rig.defer(() => temp.remove())
  const directory = join(temp.path, 'calls')
  const open = () => createCallFiles({ directory, instance: randomUUID(), log: silentLog() })
  const age = async (id: string, ms: number) => {
    const then = new Date(Date.now() - ms)
    await utimes(join(directory, id), then, then)
  }
  return { directory, open, age }
}

function endOf(id: string) {
  const endedAt = new Date()
  const call = {
    ...{ id, tenantId: 'default', nodeId: 'n', gate: null, unitId: null, unitNumber: null, state: 'ended' },
    ...{
      startedAt: new Date(endedAt.getTime() - 30_000),
      endedAt,
      decision: null,
      durations: { total: 30_000 },
    },
    ...{ outcome: 'unanswered' as const, reason: 'no-answer' },
  }
  const data = { tenant: 'default', gate: null, unit: null, outcome: 'unanswered', reason: 'no-answer' }
  return { call, event: { callId: id, seq: 7, at: endedAt, kind: 'ended', leg: null, data } }
}

test('a call is on the disk from its beginning until its end is in the database, and old files go', async (rig) => {
  const { directory, open, age } = await openFiles(rig)
  const files = open()
  assert.equal([await files.find('any'), await files.sweep(), await files.ends()], [undefined, 0, []])
  const [live, over, old] = [randomUUID(), randomUUID(), randomUUID()]
  for (const id of [live, over, old]) files.add(id)
  const written = Promise.withResolvers<void>()
  files.end(endOf(over), written.promise)
  await files.settled()
  // another process of this disk
  const others = open()
  assert.equal(await Promise.all([live, over, randomUUID()].map(others.find)), ['live', 'ended', undefined])
  written.resolve()
  await eventually(async () => ((await others.find(over)) === undefined ? true : undefined))
  await age(old, 25 * 60 * 60 * 1000)
  assert.is(await others.sweep(), 1)
  assert.equal(await readdir(directory), [live])
})

test('an end that only the disk of a killed process has gets into the database as it was', async (rig) => {
  const database = await openTestDatabase(rig)
  const { directory, open, age } = await openFiles(rig)
  const end = endOf(randomUUID())
  const { id } = end.call
  // the database has the call in an earlier state
  const before = { ...end.call, state: 'attending', endedAt: null, outcome: null, reason: null }
  await writeBatch(database, { calls: [before], events: [] })
  const lost = open()
  lost.end(end, new Promise(() => {}))
  await lost.settled()
  const files = open()
  assert.equal(await files.ends(), [], 'its own process may still write it')
  await age(id, 11_000)
  const journal = createJournal({ write: (batch) => writeBatch(database, batch), log: silentLog() })
  rig.defer(() => journal.close())
  const orphaned = endOrphanedCalls({
    ...{ database, files, journal, asking: { close: () => {} }, recordings: tmpdir(), living: () => [] },
    ...{ reattachSeconds: 0, callMaxMs: 300_000, log: silentLog() },
  })
  rig.defer(() => orphaned.stop())
  await eventually(async () => (await findCall(database, id))?.endedAt ?? undefined)
  assert.equal(await findCall(database, id), end.call)
  await eventually(async () => ((await readdir(directory)).length === 0 ? true : undefined))
  const events = await database.query('select kind, seq from call_events where call_id = $1', [id])
  assert.equal(events, [{ kind: 'ended', seq: 7 }])
})

test.run()
