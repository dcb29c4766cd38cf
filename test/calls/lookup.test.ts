import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import type { Decision } from '../../machines/index.ts'
import { createSnapshots } from '../../src/calls/recovery/snapshots.ts'
import { fail } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('looking up a call')

const away = () => Promise.reject(fail('DATABASE_UNREACHABLE', { reason: 'no server' }))

/** Snapshots over a database that gives these answers, one a query, and the last one for ever. */
function over(
  answers: (() => Promise<unknown[]>)[],
  facts: { away?: boolean; alone?: boolean; onDisk?: 'live' | 'ended'; decision?: Decision } = {},
) {
  let asked = 0
  const query = () => answers[Math.min(asked++, answers.length - 1)]!()
  const snapshots = createSnapshots({
    database: { query } as unknown as Database,
    instance: randomUUID(),
    nodeId: 'here',
    machines: 'these',
    media: { finishRecordings: async () => {}, loadRecordings: async () => [] },
    files: { find: async () => facts.onDisk },
    decisionOnDisk: async () => facts.decision,
    isAway: () => facts.away ?? false,
    mayHaveCalls: () => !facts.alone,
    patienceMs: 1000,
    log: silentLog(),
  })
  const recall = (isAgain = false) => snapshots.recall(randomUUID(), isAgain, new AbortController().signal)
  return { recall, asked: () => asked }
}

const row = (found: object) => async () => [
  {
    ...{
      endedAt: null,
      decision: null,
      tenantId: 'default',
      gate: null,
      startedAt: new Date(),
      instance: null,
      machines: null,
    },
    ...{
      snapshot: null,
      facts: { recordings: [] },
      nodeId: null,
      addresses: null,
      isAlive: false,
      seenAt: null,
    },
    ...{ silentMs: 0, seq: 0 },
    ...found,
  },
]

test('a call that is in the database is found, however often the database fails before', async () => {
  const { recall } = over([away, away, row({ instance: randomUUID(), isAlive: true })])
  assert.is((await recall()).is, 'elsewhere')
})

test('only the database says that a call is new', async () => {
  assert.equal(await over([row({})]).recall(), { is: 'new', seq: 0, again: false, decision: null })
  assert.equal(await over([row({ seq: 3 })]).recall(), { is: 'new', seq: 3, again: 'used', decision: null })
})

test('a database that stays away does not keep a visitor for ever', async () => {
  const { recall, asked } = over([away])
  const arrival = await recall()
  assert.equal([arrival.is, 'again' in arrival && arrival.again], ['new', 'unsure'])
  assert.ok(asked() > 1, 'asked more than once')
})

test('a call that only the disk knows begins anew aloud, whether the database answers or not', async () => {
  const known = { onDisk: 'live' as const }
  assert.equal(await over([row({})], known).recall(), { is: 'new', seq: 0, again: 'used', decision: null })
  const arrival = await over([away], known).recall()
  assert.is('again' in arrival && arrival.again, 'used')
  assert.is((await over([away], { onDisk: 'ended' }).recall()).is, 'ended')
  const alone = await over([away], { ...known, away: true, alone: true }).recall()
  assert.is('again' in alone && alone.again, 'used')
})

test('the call of a visitor who comes again, and whom nobody knows, was lost with its process, or never began', async () => {
  const again = async (...given: Parameters<typeof over>) => {
    const arrival = await over(...given).recall(true)
    return 'again' in arrival && arrival.again
  }
  const [none, lost] = [async () => [], async () => [{}]]
  assert.is(await again([row({}), lost]), 'lost', 'another process is missing')
  assert.is(await again([row({}), away]), 'lost', 'nobody can tell')
  assert.is(await again([away]), 'lost')
  assert.is(await again([row({}), none]), 'used', 'no other process is missing')
  assert.is(await again([row({ seq: 3 }), lost]), 'used', 'the database knows it')
  assert.is(await again([row({}), lost], { onDisk: 'live' }), 'used', 'the disk knows it')
  assert.is(await again([row({}), lost], { alone: true }), 'used')
  assert.is(await again([away], { away: true, alone: true }), 'used')
})

test('a decision that only the disk has goes with the call; one in the books comes first', async () => {
  const decision: Decision = { verdict: 'denied', by: 'resident', via: 'key', at: 1 }
  const decided = async (...given: Parameters<typeof over>) => {
    const arrival = await over(...given).recall()
    return 'decision' in arrival && arrival.decision
  }
  assert.equal(await decided([row({})], { decision }), decision)
  assert.equal(await decided([away], { decision }), decision)
  const first = { ...decision, at: 0 }
  assert.equal(await decided([row({ decision: first })], { decision }), first)
})

test('a process that no visitor of another can come to asks nobody while the database is away', async () => {
  const { recall, asked } = over([away], { away: true, alone: true })
  assert.is((await recall()).is, 'new')
  assert.is(asked(), 0)
})

test.run()
