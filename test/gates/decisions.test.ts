import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { type DecidedCall, findCall } from '../../src/calls/index.ts'
import { createDecisionJournal, readFacts, takeFile } from '../../src/gates/decision-journal.ts'
import {
  commandIdOf,
  createGateReplies,
  createGateSender,
  createGateTargets,
  findGateCommand,
  listGateCommands,
  saveGate,
} from '../../src/gates/index.ts'
import type { GateContent } from '../../src/outbound/index.ts'
import { fail } from '../../src/platform/errors.ts'
import { undelivered } from '../../src/platform/http-client/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { openTestDatabase } from '../rig/database.ts'
import { decidedCall, openTestDecisions } from '../rig/decisions-rig.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('gates: decisions')

const TENANT = 'default'
const WEBHOOK = { kind: 'webhook', url: 'https://gate.example/' } as const
const AMQP = { kind: 'amqp', exchange: 'gates', routingKey: 'front' } as const
const VISITOR = () => AbortSignal.timeout(60_000)

/** A database that refuses everything, or never answers, for as long as `is` says so. */
function flaky(database: Database) {
  const state: { is: 'there' | 'refusing' | 'hanging' } = { is: 'there' }
  const guard = <T>(work: () => Promise<T>): Promise<T> =>
    state.is === 'there'
      ? work()
      : state.is === 'hanging'
        ? new Promise(() => {})
        : Promise.reject(fail('DATABASE_UNREACHABLE', { reason: 'test' }))
  const away: Database = {
    ...database,
    query: (text, values) => guard(() => database.query(text, values)),
    transaction: (run) => guard(() => database.transaction(run)),
  }
  return { away, state }
}

const commandOf = (database: Database, { id, decision }: DecidedCall) =>
  findGateCommand(database, commandIdOf(id, new Date(decision.at)))

test('a decision is in the books with its command and webhook before the gate is told, once', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const told: GateContent[] = []
  const events: string[] = []
  const call = decidedCall()
  const decisions = await openTestDecisions(rig, {
    database,
    callEvents: {
      writeDecided: async (_, callId) => void events.push(callId),
      writeGateFailed: async () => {},
    },
    sender: {
      async tell(_, content) {
        told.push(content)
        assert.equal((await findCall(database, call.id))!.decision, call.decision)
        assert.is((await commandOf(database, call))!.status, 'wanted')
        assert.equal(events, [call.id])
        return { status: 204 }
      },
    },
  })
  await decisions.keep(call)
  assert.is(await decisions.open(call, VISITOR()), 'opened')
  await decisions.settled()
  const { id, status } = (await commandOf(database, call))!
  assert.is(status, 'acknowledged')
  assert.equal([told.length, told[0]!.id, told[0]!.data.call_id], [1, id, call.id])
  // the process died after it, and the call was restored
  const next = await openTestDecisions(rig, {
    database,
    sender: { tell: async () => assert.unreachable('told twice') as never },
  })
  await next.keep(call)
  assert.is(await next.open(call, VISITOR()), 'opened')
  // a no, and a tenant without gates, open nothing
  const no = decidedCall('denied')
  await decisions.keep(no)
  assert.is(await commandOf(database, no), undefined)
  const untold = decidedCall('authorized', { tenantId: 'another' })
  await decisions.keep(untold)
  assert.is(await decisions.open(untold, VISITOR()), 'none')
})

test('the first attempt has the number of its decision; whoever holds the gate row holds up neither', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const numbers: (number | undefined)[] = []
  const { numberWithin } = createGateSender({
    database,
    targets: createGateTargets({ database }),
    http: undefined as never,
    publisher: undefined,
    log: silentLog(),
  })
  const decisions = await openTestDecisions(rig, {
    database,
    sender: {
      numberWithin,
      async tell(_gate, _content, _leftMs, _attempt, number) {
        numbers.push(number)
        return { status: 204 }
      },
    },
  })
  const decide = async () => {
    const call = decidedCall()
    await decisions.keep(call)
    assert.is(await decisions.open(call, VISITOR()), 'opened')
    return (await database.query<{ counter: number }>('select counter::float8 as counter from gates'))[0]!
      .counter
  }
  const counters = [await decide(), await decide()]
  assert.equal(numbers, counters)
  assert.ok(counters[1]! > counters[0]!)
  await database.transaction(async (transaction) => {
    await transaction.query('select from gates for update')
    // the sender asks for its number afterwards
    assert.is(await decide(), counters[1])
  })
  assert.is(numbers[2], undefined)
})

test('the same UUID again after an hour opens again; a second decision about one visit does not', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const decisions = await openTestDecisions(rig, { database })
  const first = decidedCall('authorized', { agoMs: 3000 })
  await decisions.keep(first)
  assert.is(await decisions.open(first, VISITOR()), 'opened')
  const again = { ...first, decision: { ...first.decision, at: Date.now() } }
  await decisions.keep(again)
  assert.is(await decisions.open(again, VISITOR()), 'opened', 'the gate has opened for this visit')
  assert.is((await listGateCommands(database, TENANT, { callId: first.id, limit: 9 })).length, 1)
  const denied = { ...again, decision: { ...again.decision, verdict: 'denied' as const } }
  await decisions.keep(denied)
  assert.equal((await findCall(database, first.id))!.decision, first.decision)
  assert.equal(await decisions.keep(denied), first.decision, 'whoever made the second hears of the first')
  // the visit is over, and another one has its UUID
  await database.query("update calls set ended_at = now(), outcome = 'authorized' where id = $1", [first.id])
  const later = { ...again, startedAt: new Date() }
  await decisions.keep(later)
  assert.is(await decisions.open(later, VISITOR()), 'opened')
  assert.is((await listGateCommands(database, TENANT, { callId: first.id, limit: 9 })).length, 2)
})

for (const how of ['refusing', 'hanging'] as const)
  test(`a database that is ${how}: the decision is on the disk, the gate opens, the books follow`, async (rig) => {
    const database = await openTestDatabase(rig)
    await saveGate(database, TENANT, 'default', WEBHOOK)
    const { away, state } = flaky(database)
    const temp = await createTempDir('decisions')
    rig.defer(() => temp.remove())
    const directory = temp.path
    let files: string[] = []
    const decisions = await openTestDecisions(rig, {
      database: away,
      directory,
      keepMs: 300,
      sender: {
        async tell() {
          files = await readdir(directory)
          return { status: 204 }
        },
      },
    })
    state.is = how
    const call = decidedCall()
    await decisions.keep(call)
    assert.is(await decisions.open(call, VISITOR()), 'opened')
    assert.is(files.length, 1, 'durable before the gate was told')
    const onDisk = join(directory, files[0]!)
    await eventually(async () => (await readFacts(onDisk))?.facts[0]?.told)
    // its process is killed, and the next one finds the file
    const claim = () => ({ write: async () => assert.unreachable('it was told') }) as never
    const next = await openTestDecisions(rig, { database, directory, outbound: { claim } })
    await next.settled()
    const row = (await commandOf(database, call))!
    assert.is(row.status, 'acknowledged')
    assert.equal((await findCall(database, call.id))!.decision, call.decision)
    assert.equal(await readdir(directory), [])
    if (how === 'hanging') return
    // one whose process lives writes it by itself
    const other = decidedCall()
    await decisions.keep(other)
    assert.is(await decisions.open(other, VISITOR()), 'opened')
    state.is = 'there'
    await decisions.settled()
    assert.is((await commandOf(database, other))!.status, 'acknowledged')
    assert.equal(await readdir(directory), [])
  })

test('nobody hears of a decision that database and disk do not take in time; its gate is told as soon as one of them does', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const { path: directory, remove } = await createTempDir('decisions')
  rig.defer(remove)
  const instance = randomUUID()
  // a disk that hangs: opening it to write waits for somebody who reads
  const file = join(directory, `${instance}.jsonl`)
  execFileSync('mkfifo', [file])
  const slow = Promise.withResolvers<void>()
  const told: string[] = []
  const decisions = await openTestDecisions(rig, {
    database: {
      ...database,
      transaction: async (run) => {
        await slow.promise
        return database.transaction(run)
      },
    },
    ...{ directory, instance, keepMs: 50, durableMs: 100 },
    sender: {
      async tell(_, { id }) {
        told.push(id)
        return { status: 204 }
      },
    },
  })
  const call = decidedCall()
  const refused = await decisions.keep(call).then(
    () => assert.unreachable('it is not durable'),
    ({ code }) => code,
  )
  assert.equal([refused, told], ['FALLBACK_UNWRITABLE', []])
  slow.resolve()
  const disk = await open(file, 'r')
  rig.defer(() => disk.close())
  const [id] = await eventually(() => (told.length > 0 ? told : undefined))
  assert.is((await commandOf(database, call))!.id, id)
})

test('a gate opened by hand is on the disk while the database is away', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const { away, state } = flaky(database)
  const told: GateContent[] = []
  const decisions = await openTestDecisions(rig, {
    database: away,
    sender: { tell: async (_, content) => ({ status: told.push(content) && 204 }) },
  })
  state.is = 'refusing'
  const { id } = await decisions.openByHand({ tenantId: TENANT, gateId: 'default', by: 'key' })
  await eventually(() => (told.length > 0 ? true : undefined))
  assert.equal([told[0]!.id, told[0]!.data.call_id], [id, id])
  state.is = 'there'
  await decisions.settled()
  const { status, callId, by } = (await findGateCommand(database, id))!
  assert.equal([status, callId, by], ['acknowledged', null, 'key'])
})

test('the words follow the gate: sent, acknowledged later, refused, unanswered', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', AMQP)
  await saveGate(database, TENANT, 'slow', { ...AMQP, acknowledges: true })
  await saveGate(database, TENANT, 'web', WEBHOOK)
  let error: Error | undefined
  const failed: string[] = []
  const decisions = await openTestDecisions(rig, {
    database,
    callEvents: {
      writeDecided: async () => {},
      writeGateFailed: async (_, { id }) => void failed.push(id),
    },
    sender: {
      async tell() {
        if (error) throw error
        return {}
      },
    },
  })
  const decide = async (gate: string | null, signal = VISITOR()) => {
    const call = decidedCall('authorized', { gate })
    await decisions.keep(call)
    const answer = decisions.open(call, signal)
    return { call, answer }
  }
  assert.is(await (await decide(null)).answer, 'sent')
  const later = await decide('slow')
  const note = (call: ReturnType<typeof decidedCall>, status: string) =>
    database.query('update gate_commands set status = $2 where for_call = $1', [call.id, status])
  await decisions.settled()
  await note(later.call, 'acknowledged')
  assert.is(await later.answer, 'opened')
  const refused = await decide('slow')
  await decisions.settled()
  await note(refused.call, 'refused')
  assert.is(await refused.answer, 'failed')
  const left = new AbortController()
  const unanswered = await decide('slow', left.signal)
  left.abort()
  assert.is(await unanswered.answer, 'failed')
  error = undelivered('DELIVERY_STATUS', { host: 'gate.example', status: 403 }, { final: true })
  const final = await decide('web')
  assert.is(await final.answer, 'failed')
  // what the worker's attempt brings counts too
  error = undelivered('DELIVERY_TIMEOUT', { host: 'gate.example', ms: 1 })
  const second = await decide('web')
  await decisions.settled()
  await note(second.call, 'acknowledged')
  assert.is(await second.answer, 'opened')

  // each is reported once: by the visitor's words, or when it is too late
  const { id } = (await commandOf(database, unanswered.call))!
  await Promise.all([decisions.fail(unanswered.call), decisions.fail(unanswered.call)])
  await decisions.settled()
  assert.equal(failed, [id])
  await database.query("update gate_commands set expires_at = now() - interval '6 s'")
  const late = await Promise.all(
    [refused, final].map(async ({ call }) => (await commandOf(database, call))!.id),
  )
  await eventually(() => (failed.length >= 3 ? true : undefined))
  assert.equal(failed.toSorted(), [id, ...late].toSorted())
  const { failedAt, audit } = (await findGateCommand(database, id))!
  assert.instance(failedAt, Date)
  assert.is(audit.at(-1)!.what, 'reported')
})

test("a gate's reply counts while the database is away, and is in the books afterwards", async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', { ...AMQP, acknowledges: true })
  const { away, state } = flaky(database)
  const replies = createGateReplies({ database: away, log: silentLog() })
  rig.defer(() => replies.close())
  const decisions = await openTestDecisions(rig, {
    ...{ database: away, keepMs: 300, replies },
    sender: {
      async tell({ tenantId, id: gateId }, { id }) {
        const gate = { tenantId, gateId }
        // another gate's reply counts for nothing
        replies.hear({ ...gate, gateId: 'other' }, id, '{"opened":false}')
        replies.hear(gate, id, '{"opened":true}')
        return {}
      },
    },
  })
  state.is = 'refusing'
  const call = decidedCall()
  await decisions.keep(call)
  assert.is(await decisions.open(call, VISITOR()), 'opened')
  state.is = 'there'
  await eventually(async () => (await commandOf(database, call))?.status === 'acknowledged' || undefined)
})

test('a decision whose command an older version wrote gets no second one, and the other way round', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const told: string[] = []
  const decisions = await openTestDecisions(rig, {
    database,
    sender: { tell: async (_, { id }) => ({ status: told.push(id) && 204 }) },
  })
  /** The statement of older versions. */
  const addAsBefore = (callId: string) =>
    database.query(
      `insert into gate_commands (call_id, tenant_id, gate_id, decided_by, decided_via, decided_at, expires_at)
       values ($1, $2, 'default', 'resident', 'key', $3, $3::timestamptz + interval '30 s')
       on conflict do nothing returning call_id`,
      [callId, TENANT, new Date()],
    )
  const [before, after] = [decidedCall(), decidedCall()]
  assert.is((await addAsBefore(before.id)).length, 1)
  await decisions.keep(before)
  assert.is(await decisions.open(before, VISITOR()), 'sent')
  assert.equal(told, [])
  await decisions.keep(after)
  assert.is(await decisions.open(after, VISITOR()), 'opened')
  assert.is((await addAsBefore(after.id)).length, 0)
  // which finds the command by the id in its body
  assert.is((await database.query('select from gate_commands where call_id = $1', [told[0]])).length, 1)
  const [row] = await listGateCommands(database, TENANT, { callId: before.id, limit: 1 })
  assert.equal([row!.id, row!.callId], [before.id, before.id])
})

test('a late command is not sent, and a decision has one id wherever it is told', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const decisions = await openTestDecisions(rig, {
    database,
    sender: { tell: async () => assert.unreachable('late') as never },
  })
  const late = decidedCall('authorized', { agoMs: 31_000 })
  await decisions.keep(late)
  assert.is(await decisions.open(late, VISITOR()), 'failed')
  const [call, at] = [randomUUID(), new Date()]
  assert.is(commandIdOf(call, at), commandIdOf(call, new Date(at)))
  assert.is.not(commandIdOf(call, at), commandIdOf(call, new Date(at.getTime() + 1)))
  assert.match(commandIdOf(call, at), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('a process whose clock is two minutes ahead waits for the gate of a decision that another one made', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const killed = await openTestDecisions(rig, { database, sender: { tell: () => new Promise(() => {}) } })
  const call = decidedCall()
  await killed.keep(call)
  const { now } = Date
  Date.now = () => now() + 120_000
  rig.defer(() => {
    Date.now = now
  })
  const next = await openTestDecisions(rig, {
    database,
    sender: { tell: async () => assert.unreachable('told by its own clock') as never },
  })
  await next.keep(call)
  const opened = next.open(call, VISITOR())
  const command = commandIdOf(call.id, new Date(call.decision.at))
  await database.query(`update gate_commands set status = 'acknowledged', acknowledged_at = now()`)
  assert.equal(
    [await opened, (await listGateCommands(database, TENANT, { limit: 9 })).map(({ id }) => id)],
    ['opened', [command]],
  )
})

test('a process that was taken for dead loses no decision with its file', async (rig) => {
  const temp = await createTempDir('decisions')
  rig.defer(() => temp.remove())
  const living = createDecisionJournal(temp.path, 'living')
  rig.defer(() => living.close())
  const [first, second] = [decidedCall(), decidedCall()]
  await living.append({ kind: 'fact', fact: { call: first } })
  const [path] = await createDecisionJournal(temp.path, 'other').others()
  const taken = await takeFile(path!)
  assert.is(await takeFile(path!), undefined, 'another process has it')
  await living.append({ kind: 'fact', fact: { call: second } })
  const idsIn = async (path: string) => (await readFacts(path))?.facts.map(({ fact }) => fact.call!.id)
  const files = await createDecisionJournal(temp.path, 'other').others()
  assert.equal(new Set((await Promise.all(files.map(idsIn))).flat()), new Set([first.id, second.id]))
  await unlink(taken!)
  assert.is(await readFacts(taken!), undefined, 'a file that another process has removed')
  await living.clear(() => true)
  assert.equal(await readdir(temp.path), [])
})

test('a process that is taken for dead twice loses no decision, whoever stores its files', async (rig) => {
  const temp = await createTempDir('decisions')
  rig.defer(() => temp.remove())
  const living = createDecisionJournal(temp.path, 'living')
  rig.defer(() => living.close())
  const other = createDecisionJournal(temp.path, 'other')
  const [first, second] = [decidedCall(), decidedCall()]
  await living.append({ kind: 'fact', fact: { call: first } })
  const taken = await takeFile((await other.others())[0]!)
  // the database is still away; another process takes the file of what was decided since
  await living.append({ kind: 'fact', fact: { call: second } })
  await takeFile((await other.others()).find((path) => path !== taken)!)
  const idsIn = async (path: string) => (await readFacts(path))!.facts.map(({ fact }) => fact.call!.id)
  const kept = new Set((await Promise.all((await other.others()).map(idsIn))).flat())
  assert.equal(kept, new Set([first.id, second.id]))
  // it is stored, and removed
  await unlink(taken!)
  assert.equal((await Promise.all((await other.others()).map(idsIn))).flat(), [second.id])
})

test('a decision that the database refuses for ever holds up no other', async (rig) => {
  const database = await openTestDatabase(rig)
  const temp = await createTempDir('decisions')
  rig.defer(() => temp.remove())
  const dead = createDecisionJournal(temp.path, 'dead')
  const [refused, call] = [decidedCall('denied', { unitId: 'no number' }), decidedCall('denied')]
  for (const one of [refused, call]) await dead.append({ kind: 'fact', fact: { call: one } })
  await dead.close()
  await openTestDecisions(rig, { database, directory: temp.path })
  assert.equal((await findCall(database, call.id))!.decision, call.decision)
  assert.is((await readdir(temp.path)).length, 1, 'the refused one stays')
})

test('that a gate did not answer is durable before its visitor hears so, and the next process reports it', async (rig) => {
  const database = await openTestDatabase(rig)
  await saveGate(database, TENANT, 'default', WEBHOOK)
  const { away, state } = flaky(database)
  const { path: directory, remove } = await createTempDir('decisions')
  rig.defer(remove)
  const failed: string[] = []
  const callEvents = {
    writeDecided: async () => {},
    writeGateFailed: async (_: unknown, { id }: { id: string }) => void failed.push(id),
  }
  const decisions = await openTestDecisions(rig, {
    ...{ database: away, directory, keepMs: 300, callEvents },
    sender: { tell: () => new Promise(() => {}) },
  })
  const call = decidedCall()
  await decisions.keep(call)
  state.is = 'hanging'
  await decisions.fail(call)
  const [file] = await readdir(directory)
  assert.equal((await readFacts(join(directory, file!)))?.failed, [call])
  assert.equal(failed, [])
  // its process is killed; the gate answers late, so that nothing else says that the visitor stood before a closed one
  await database.query(`update gate_commands set status = 'acknowledged', acknowledged_at = now()`)
  const next = await openTestDecisions(rig, { database, directory, callEvents })
  await next.settled()
  assert.equal(failed, [commandIdOf(call.id, new Date(call.decision.at))])
  assert.equal(await readdir(directory), [])
  // one that the database takes leaves nothing on the disk
  const other = decidedCall()
  await next.keep(other)
  await next.fail(other)
  assert.equal([failed.length, await readdir(directory)], [2, []])
})

test('a decision that only the disk has is found by the process that its visitor comes to', async (rig) => {
  const database = await openTestDatabase(rig)
  const { path: directory, remove } = await createTempDir('decisions')
  rig.defer(remove)
  const { away, state } = flaky(database)
  const lost = await openTestDecisions(rig, { database: away, directory, keepMs: 300 })
  state.is = 'refusing'
  const call = decidedCall('denied')
  await lost.keep(call)
  // it is not known yet that the other process is gone, and the database is away here too
  const next = await openTestDecisions(rig, { database: away, directory, mayLive: () => true })
  assert.equal(await next.decisionOnDisk(call.id), call.decision)
  assert.is(await next.decisionOnDisk(randomUUID()), undefined)
  // the same UUID again after an hour
  const old = decidedCall('authorized', { agoMs: 60 * 60_000 })
  await lost.keep(old)
  assert.is(await next.decisionOnDisk(old.id), undefined)
})

test.run()
