import * as assert from 'uvu/assert'
import { type Batch, createJournal } from '../../src/calls/journal.ts'
import type { CallRow, EventRow } from '../../src/calls/sql/calls.ts'
import type { CallSnapshot } from '../../src/calls/sql/snapshots.ts'
import { silentLog } from '../../src/platform/log.ts'
import { simulateTime } from '../rig/clock.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('journal')

function open(rig: Rig, write?: (batch: Batch) => Promise<void>) {
  const clock = simulateTime(rig)
  const batches: Batch[] = []
  const journal = createJournal({
    log: silentLog(),
    write: async (batch) => {
      await write?.(batch)
      batches.push(batch)
    },
  })
  rig.defer(async () => {
    const closing = journal.close()
    await clock.tickAsync(5000)
    await closing
    assert.is(clock.countTimers(), 0, 'timers are left')
  })
  return {
    clock,
    batches,
    journal,
    written: () => batches.flatMap(({ events }) => events.map(({ seq }) => seq)),
  }
}

function event(seq: number): EventRow {
  return { callId: 'c', seq, at: new Date(), kind: 'key', leg: 'visitor', data: {} }
}

function call(state: string): CallRow {
  return { id: 'c', state } as CallRow
}

test('events that come together are written together', async (t) => {
  const { journal, batches, clock } = open(t)
  for (let seq = 0; seq < 20; seq++) journal.event(event(seq))
  assert.is(batches.length, 0)
  await clock.tickAsync(100)
  assert.is(batches.length, 1)
  assert.is(batches[0]!.events.length, 20)
})

test('of the rows of one call only the latest is written', async (t) => {
  const { journal, batches, clock } = open(t)
  for (const state of ['attending', 'reaching.searching', 'talking']) journal.call(call(state))
  await clock.tickAsync(100)
  assert.equal(
    batches[0]!.calls.map(({ state }) => state),
    ['talking'],
  )
})

test('a crowd does not wait for the time to pass', async (t) => {
  const { journal, batches, clock } = open(t)
  for (let seq = 0; seq < 500; seq++) journal.event(event(seq))
  await clock.tickAsync(0)
  assert.is(batches.length, 1)
})

test('while the database is away nothing is lost, and the order stays', async (t) => {
  let away = true
  const { journal, written, clock } = open(t, async () => {
    if (away) throw new Error('the database is away')
  })
  journal.event(event(0))
  journal.call(call('attending'))
  await clock.tickAsync(100)
  journal.event(event(1))
  await clock.tickAsync(5000)
  assert.equal(written(), [])
  assert.is(journal.counts().waiting, 2)
  away = false
  await clock.tickAsync(1000)
  assert.equal(written(), [0, 1])
  assert.equal(journal.counts(), { waiting: 0, lost: 0 })
})

test('a row that came while an older one of its call could not be written replaces it', async (t) => {
  let away = true
  const { journal, batches, clock } = open(t, async () => {
    if (away) throw new Error('the database is away')
  })
  journal.call(call('attending'))
  await clock.tickAsync(100)
  journal.call(call('ended'))
  away = false
  await clock.tickAsync(1000)
  assert.equal(
    batches.flatMap(({ calls }) => calls.map(({ state }) => state)),
    ['ended'],
  )
})

test('a database that is away for hours costs bounded memory, and what was lost is counted', async (t) => {
  const { journal, clock } = open(t, () => Promise.reject(new Error('the database is away')))
  for (let seq = 0; seq < 101_000; seq++) journal.event(event(seq))
  await clock.tickAsync(2000)
  const { waiting, lost } = journal.counts()
  assert.ok(waiting <= 100_100, `${waiting} wait`)
  assert.is(waiting + lost, 101_000)
})

test('noting does not wait for a write that hangs; memory and closing are bounded', async (t) => {
  const { journal, clock } = open(t, () => new Promise(() => {}))
  journal.event(event(0))
  await clock.tickAsync(100)
  for (let seq = 1; seq < 102_000; seq++) journal.event(event(seq))
  const { waiting, lost } = journal.counts()
  assert.ok(waiting <= 100_100, `${waiting} wait`)
  assert.is(waiting + lost, 102_000)
})

test('listeners hear each event before it is written, until they leave', async (t) => {
  const { journal } = open(t)
  const heard: number[] = []
  const leave = journal.subscribe(({ seq }) => heard.push(seq))
  journal.event(event(0))
  leave()
  journal.event(event(1))
  assert.equal(heard, [0])
})

test('what was noted before closing is written', async (t) => {
  const { journal, written } = open(t)
  journal.event(event(0))
  await journal.close()
  assert.equal(written(), [0])
})

/** A live call that counts how often it was taken. */
function live(callId: string) {
  const taken = { times: 0 }
  const take = () => {
    taken.times++
    return { callId } as CallSnapshot
  }
  return { callId, take, taken }
}

test('a call is kept once a batch, as it is when the batch is made', async (t) => {
  const { journal, batches, clock } = open(t)
  const one = live('one')
  const older = live('one')
  journal.snapshot('one', older.take)
  journal.snapshot('one', one.take)
  journal.snapshot('over', () => undefined)
  assert.is(one.taken.times, 0)
  await clock.tickAsync(100)
  assert.equal(
    batches.map(({ snapshots }) => snapshots),
    [[{ callId: 'one' }]],
  )
  await clock.tickAsync(1000)
  assert.is(batches.length, 1)
  assert.is(older.taken.times, 0)
})

test('while the database is away calls are kept one at a time, and ended ones are forgotten', async (t) => {
  let away = true
  const { journal, batches, clock } = open(t, async () => {
    if (away) throw new Error('away')
  })
  const calls = ['a', 'b', 'c', 'd'].map(live)
  for (const { callId, take } of calls) journal.snapshot(callId, take)
  await clock.tickAsync(100)
  await clock.tickAsync(3000)
  assert.equal(
    calls.map(({ taken }) => taken.times > 1),
    [true, true, true, false],
    'each second another one',
  )
  journal.call({ ...call('ended'), id: 'd', endedAt: new Date() })
  away = false
  await clock.tickAsync(1200)
  assert.equal(batches.flatMap(({ snapshots }) => snapshots.map(({ callId }) => callId)).sort(), [
    'a',
    'b',
    'c',
  ])
})

test.run()
