import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { type Command, createRouting } from '../../src/calls/routing.ts'
import { eventsOf, writeBatch } from '../../src/calls/sql/calls.ts'
import { createRequests, enterNodes, openTopics, type Topics } from '../../src/cluster/index.ts'
import { fail, PorteiroError } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('routing')

/** ms of a node that waits in vain, and of one that is answered. */
const IMPATIENT_MS = 200
const ANSWER_MS = 100_000

/** Two nodes on one database: one that takes calls, and one that only asks. */
async function openNodes(rig: Rig, { deaf = false }: { deaf?: boolean } = {}) {
  const database = await openTestDatabase(rig)
  const log = silentLog()
  const open = async (
    nodeId: string,
    roles: string[],
    { answerMs = ANSWER_MS, queries = database }: { answerMs?: number; queries?: Database } = {},
  ) => {
    const instance = randomUUID()
    const heard = await openTopics({ database, instance, log })
    rig.defer(() => heard.close())
    // as when each signal is lost
    const topics: Topics = deaf ? { ...heard, subscribe: () => () => {} } : heard
    const presence = await enterNodes({ database, instance, nodeId, roles, log })
    rig.defer(() => presence.leave())
    const requests = createRequests({ database: queries, topics, presence, log, answerMs })
    rig.defer(() => requests.close())
    const routing = createRouting({ database: queries, requests, presence, log })
    return { requests, routing, presence }
  }
  return { database, open, voice: await open('voice-1', ['voice']), web: await open('web-1', ['web']) }
}

/** Has one call, does what it is told, and keeps it. */
function serving(callId: string, command: Command = async () => {}) {
  const done: unknown[] = []
  return {
    done,
    has: (id: string) => id === callId,
    command: async (id: string, given: Parameters<Command>[1]) => {
      await command(id, given)
      done.push(given)
    },
    tasks: { refresh: async (input: unknown) => ({ opened: input }) },
  }
}

async function writeCall(database: Database, { nodeId = 'voice-1', ended = false } = {}): Promise<string> {
  const id = randomUUID()
  await writeBatch(database, {
    calls: [
      {
        id,
        tenantId: 'default',
        nodeId,
        gate: null,
        unitId: null,
        unitNumber: null,
        state: ended ? 'ended' : 'reaching.searching',
        startedAt: new Date(),
        endedAt: ended ? new Date() : null,
        outcome: ended ? 'unanswered' : null,
        reason: null,
        decision: null,
        durations: null,
      },
    ],
    events: [{ callId: id, seq: 0, at: new Date(), kind: 'started', leg: null, data: {} }],
  })
  return id
}

const DECIDE = { type: 'decide', verdict: 'authorized', by: 'porter', via: 'api' } as const

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof PorteiroError ? error.code : String(error)
  }
}

for (const deaf of [false, true]) {
  test(`a command reaches the node that has the call${deaf ? ', also when every signal is lost' : ''}`, async (rig) => {
    const { database, voice, web } = await openNodes(rig, { deaf })
    const id = await writeCall(database)
    const calls = serving(id)
    voice.routing.serve(calls)
    await web.routing.command(id, DECIDE)
    assert.equal(calls.done, [DECIDE])
    await web.routing.command(id, { type: 'hangUp', role: 'visitor', by: 'porter' })
    assert.equal(calls.done.at(-1), { type: 'hangUp', role: 'visitor', by: 'porter' })
  })
}

test('many commands at once are each carried out once, whatever the number of nodes', async (rig) => {
  const { database, open, voice, web } = await openNodes(rig)
  const other = await open('voice-2', ['voice'])
  const first = await writeCall(database)
  const second = await writeCall(database, { nodeId: 'voice-2' })
  const calls = serving(first)
  const others = serving(second)
  voice.routing.serve(calls)
  other.routing.serve(others)
  const texts = Array.from({ length: 40 }, (_, at) => `${at}`)
  await Promise.all(
    texts.map((text, at) =>
      web.routing.command(at % 2 === 0 ? first : second, {
        type: 'say',
        role: 'visitor',
        text,
        by: 'porter',
      }),
    ),
  )
  const said = (done: unknown[]) =>
    done.map((command) => Number((command as { text: string }).text)).sort((a, b) => a - b)
  assert.equal(
    said(calls.done),
    texts.map(Number).filter((at) => at % 2 === 0),
  )
  assert.equal(
    said(others.done),
    texts.map(Number).filter((at) => at % 2 === 1),
  )
})

test('a refusal of the owner keeps its code and details', async (rig) => {
  const { database, voice, web } = await openNodes(rig)
  const id = await writeCall(database)
  voice.routing.serve(
    serving(id, async () => {
      throw fail('CALL_DECIDED', { callId: id, outcome: 'denied' })
    }),
  )
  const error = await web.routing.command(id, DECIDE).catch((thrown) => thrown)
  assert.is(error.code, 'CALL_DECIDED')
  assert.equal(error.details, { callId: id, outcome: 'denied' })
})

test('in its own process a call is reached without the database', async (rig) => {
  const { database, voice } = await openNodes(rig)
  const id = randomUUID()
  const calls = serving(id)
  voice.routing.serve(calls)
  const before = await database.query('select from node_requests')
  await voice.routing.command(id, DECIDE)
  assert.equal(calls.done, [DECIDE])
  assert.equal(await database.query('select from node_requests'), before)
})

test('a call that nobody knows, has ended, or was lost with its process', async (rig) => {
  const { database, open, voice } = await openNodes(rig)
  const web = await open('web-2', ['web'], { answerMs: IMPATIENT_MS })
  voice.routing.serve(serving('none'))
  assert.is(await codeOf(web.routing.command(randomUUID(), DECIDE)), 'CALL_UNKNOWN')
  assert.is(
    await codeOf(web.routing.command(await writeCall(database, { ended: true }), DECIDE)),
    'CALL_ENDED',
  )
  // its row says that it lives, but the node that wrote it is not there any more
  const lost = await writeCall(database, { nodeId: 'voice-9' })
  assert.is(await codeOf(web.routing.command(lost, DECIDE)), 'CALL_ELSEWHERE_SILENT')
  // started anew under the same name, the node cannot have what is older than itself
  const again = await open('voice-9', ['voice'], { answerMs: IMPATIENT_MS })
  again.routing.serve(serving('none'))
  assert.is(await codeOf(again.routing.command(lost, DECIDE)), 'CALL_ENDED')
  assert.is(await codeOf(web.routing.command(lost, DECIDE)), 'CALL_ENDED')
})

test('a late decision is refused, and kept in the journal of the ended call', async (rig) => {
  const { database, web } = await openNodes(rig)
  const id = await writeCall(database, { ended: true })
  assert.is(await codeOf(web.routing.command(id, DECIDE)), 'CALL_ENDED')
  assert.is(await codeOf(web.routing.command(id, { ...DECIDE, verdict: 'denied' })), 'CALL_ENDED')
  assert.is(
    await codeOf(web.routing.command(id, { type: 'hangUp', role: 'visitor', by: 'porter' })),
    'CALL_ENDED',
  )
  const journal = await eventsOf(database, id, 100)
  assert.equal(
    journal.map(({ kind, data }) => [kind, (data as { verdict?: string }).verdict]),
    [
      ['started', undefined],
      ['decision.late', 'authorized'],
      ['decision.late', 'denied'],
    ],
  )
})

test('a request that nobody takes in time is never executed', async (rig) => {
  const { database, open, voice, web } = await openNodes(rig)
  const impatient = await open('web-2', ['web'], { answerMs: IMPATIENT_MS })
  const id = await writeCall(database)
  // it is there, but does not answer yet
  assert.is(await codeOf(impatient.routing.command(id, DECIDE)), 'CALL_ELSEWHERE_SILENT')
  const calls = serving(id)
  voice.routing.serve(calls)
  await web.routing.command(id, { type: 'hangUp', role: 'visitor', by: 'porter' })
  assert.equal(calls.done, [{ type: 'hangUp', role: 'visitor', by: 'porter' }])
})

test('a process that has taken the request is waited for', async (rig) => {
  const { database, open, voice } = await openNodes(rig)
  const withdrawing = Promise.withResolvers<void>()
  const queries: Database = {
    ...database,
    async query<T>(text: string, values?: readonly unknown[]) {
      const rows = await database.query<T>(text, values)
      if (text.startsWith('delete from node_requests where id = $1 and taken_by is null')) {
        withdrawing.resolve()
        assert.equal(rows, [], 'it is begun')
      }
      return rows
    },
  }
  const web = await open('web-2', ['web'], { queries })
  const id = await writeCall(database)
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const calls = serving(id, () => {
    begun.resolve()
    return goOn.promise
  })
  voice.routing.serve(calls)
  const deciding = web.routing.command(id, DECIDE)
  await begun.promise
  // its patience is over now
  const { now } = performance
  performance.now = () => now.call(performance) + 1.5 * ANSWER_MS
  rig.defer(() => {
    performance.now = now
  })
  await withdrawing.promise
  goOn.resolve()
  await deciding
  assert.equal(calls.done, [DECIDE])
})

test('a task is done on every node that takes calls', async (rig) => {
  const { open, voice, web } = await openNodes(rig)
  voice.routing.serve(serving('none'))
  const other = await open('voice-2', ['voice', 'web'])
  other.routing.serve(serving('none'))
  assert.equal(await web.requests.everywhere('refresh', 1), [{ opened: 1 }, { opened: 1 }])
  assert.equal(await other.requests.everywhere('refresh', 2), [{ opened: 2 }, { opened: 2 }])
})

test('a listening connection that is cut comes back, and nothing is lost meanwhile', async (rig) => {
  const { database, voice, web } = await openNodes(rig)
  const id = await writeCall(database)
  const calls = serving(id)
  voice.routing.serve(calls)
  const heard: (string | undefined)[] = []
  const topics = await openTopics({ database, instance: randomUUID(), log: silentLog() })
  rig.defer(() => topics.close())
  topics.subscribe('news', (word) => heard.push(word))
  const cut = await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where query ilike 'listen %' and query like '%' || $1 || '%' and pid <> pg_backend_pid()`,
    [`${database.schema}_signals`],
  )
  // one of them may have come back already
  assert.ok(cut.length >= 3)
  await web.routing.command(id, DECIDE)
  assert.equal(calls.done, [DECIDE])
  // the first word after the loss is that something may have been missed
  await eventually(() => (heard.length > 0 ? true : undefined))
  assert.is(heard[0], undefined)
  await topics.publish('news', 'again')
  await eventually(() => (heard.includes('again') ? true : undefined))
})

test('a node that ends is not asked any more', async (rig) => {
  const { open, web } = await openNodes(rig)
  const other = await open('voice-2', ['voice'])
  await other.presence.leave()
  assert.equal(
    (await web.presence.list()).map(({ nodeId }) => nodeId),
    ['voice-1', 'web-1'],
  )
})

test.run()
