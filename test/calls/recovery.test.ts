import * as assert from 'uvu/assert'
import type { Phone } from '../../src/simulator/index.ts'
import { openPostgresProxy } from '../rig/postgres-proxy.ts'
import { kill, prepareHouse } from '../rig/recovery-rig.ts'
import { eventually, suite } from '../rig/rig.ts'
import { carried, goodbyeOf } from '../rig/service-rig.ts'

const test = suite('recovery')
const house = test.share((rig) => prepareHouse(rig))
/** One that waits for nobody. */
const hastyHouse = test.share((rig) => prepareHouse(rig, { REATTACH_SECONDS: '1' }))

/** The visitor keys the unit and says nothing more than # to each question, until it rings. */
async function ring(
  visitor: Phone,
  kept: (id: string, actor: string, state: string) => Promise<unknown>,
): Promise<void> {
  await visitor.hearing('ask-unit')
  await visitor.press('101#')
  await visitor.hearing('ask-name')
  await visitor.press('#')
  await visitor.heard('beep').catch(() => {})
  await visitor.say({ prompt: 'sample-visitor-name' })
  await visitor.hearing('ask-purpose')
  await visitor.press('##')
  await visitor.hearing('calling-unit')
  await visitor.press('#')
  await kept(visitor.id, 'contact', 'calling.ringing')
}

/** Two processes of the house that all share. */
const pair = () => Promise.all([house().first(), house().second()])

test('a process killed in the middle of a question: the visitor hears an apology, and the question goes on', async (rig) => {
  const { start, kept, journal, outcome, ...shared } = house()
  const { visitor: dial } = shared.phonesOf(rig)
  const first = await shared.first()
  const visitor = dial()
  await visitor.hearing('ask-unit')
  await visitor.press('101#')
  await visitor.hearing('ask-name')
  await kept(visitor.id, 'question', 'asking')
  await kill(first)
  const second = await start()
  const again = dial(visitor.id)
  await again.hearing('call-restored')
  await again.hearing('ask-name')
  again.hangUp()
  assert.equal(await outcome(visitor.id), { outcome: 'abandoned', reason: 'visitor-left' })
  const told = await journal(visitor.id)
  assert.equal(
    told.filter(({ kind }) => ['started', 'restored', 'ended'].includes(kind)).map(({ kind }) => kind),
    ['started', 'restored', 'ended'],
  )
  assert.equal(
    told.map(({ seq }) => seq),
    told.map((_, index) => index),
    'nothing is missing, nothing is there twice',
  )
  const line = await second.logged('call restored')
  const { before } = told.find(({ kind }) => kind === 'restored')!.data as { before: Record<string, unknown> }
  assert.is(before['nodeId'], 'first')
  assert.ok(Number(before['silentMs']) > 0)
  assert.equal({ instance: line['from_instance'], nodeId: line['from'], silentMs: line['silent_ms'] }, before)
})

test('killed while it rings: the resident answers afterwards, hears the name that was said before, and decides', async (rig) => {
  const { start, kept, legOf, eventsOf, outcome, ...shared } = house()
  const { dialplan, resident } = shared.phonesOf(rig)
  const first = await shared.first()
  const visitor = dialplan()
  await ring(visitor, kept)
  const leg = await legOf(visitor.id)
  await kill(first)
  await start()
  await visitor.heard('call-restored')
  const answer = resident(leg)
  await answer.hearing('visitor-name')
  await answer.press('1')
  const ends = await Promise.all([visitor.ended, answer.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  assert.equal(await outcome(visitor.id), { outcome: 'authorized', reason: null })
  const told = await eventually(() => {
    const events = eventsOf(visitor.id)
    return events.some(({ type }) => type === 'call.ended') ? events : undefined
  })
  assert.equal(
    told.map(({ type }) => type).filter((type) => type !== 'resident.wanted'),
    ['call.started', 'call.decided', 'call.ended'],
  )
})

test('a process killed while the resident listens: the resident is called once more, as another attempt', async (rig) => {
  const { start, kept, journal, outcome, ...shared } = house()
  const { visitor: dial, resident } = shared.phonesOf(rig)
  const first = await shared.first()
  const visitor = dial()
  await ring(visitor, kept)
  const answer = resident(visitor.id)
  await answer.hearing('resident-greeting')
  await kept(visitor.id, 'call', 'reaching.answered.consulting')
  await kill(first)
  await answer.ended
  await start()
  const back = dial(visitor.id)
  await back.heard('call-restored')
  const again = await eventually(async () => {
    const wanted = (await journal(visitor.id)).filter(({ kind }) => kind === 'resident.wanted')
    return wanted.length === 2 ? wanted : undefined
  })
  assert.equal(
    again.map(({ data }) => data['attempt']),
    [`${visitor.id}-1`, `${visitor.id}-r1-1`],
  )
  const second = resident(visitor.id)
  await second.hearing('resident-greeting')
  await second.press('2')
  await Promise.all([back.ended, second.ended])
  assert.equal(await outcome(visitor.id), { outcome: 'denied', reason: null })
})

test('however slow or away the database is when the visitor comes back, the call is not begun anew', async (rig) => {
  const { start, kept, journal, url, ...shared } = house()
  const { visitor: dial } = shared.phonesOf(rig)
  const first = await shared.first()
  const visitor = dial()
  await visitor.hearing('ask-unit')
  await visitor.press('101#')
  await visitor.hearing('ask-name')
  await kept(visitor.id, 'question', 'asking')
  await kill(first)
  const database = await openPostgresProxy(rig, url)
  const second = await start('behind a proxy', { DATABASE_URL: database.url })
  rig.defer(() => kill(second))
  // each query takes longer than a visitor was waited for once; then the server goes away, and comes back
  database.slow(1500)
  const again = dial(visitor.id)
  await again.hearing('one-moment')
  database.cut()
  await second.logged('a call could not be looked up yet: its leg is held')
  database.heal()
  await again.hearing('call-restored')
  await again.hearing('ask-name')
  again.hangUp()
  await shared.outcome(visitor.id)
  assert.equal(
    (await journal(visitor.id)).filter(({ kind }) => kind === 'started' || kind === 'restored').length,
    2,
    'started once, restored once',
  )
})

test('killed before the database has anything of the call: it begins anew, and its visitor hears so', async (rig) => {
  const { start, journal, url, ...shared } = house()
  const { visitor: dial } = shared.phonesOf(rig)
  await kill(await shared.first())
  const database = await openPostgresProxy(rig, url)
  const lost = await start('behind a proxy', { DATABASE_URL: database.url })
  const visitor = dial()
  await visitor.connected
  database.slow(1000)
  await visitor.hearing('greeting')
  // nothing of the call is committed: that takes several queries
  database.cut()
  await visitor.hearing('ask-unit')
  await kill(lost)
  assert.equal(await journal(visitor.id), [])
  await start()
  const again = dial(visitor.id)
  await again.hearing('call-restored')
  await again.hearing('greeting')
  again.hangUp()
  await shared.outcome(visitor.id)
  const [started] = await journal(visitor.id)
  assert.match(String(started?.data['beginning']), /^b[0-9a-z]+$/)
  // what has ended leaves nothing on the disk
  const third = dial(visitor.id)
  assert.is((await third.ended).by, 'server-hangup')
})

test('an ended call starts nothing on a process that did not know it', async (rig) => {
  const { first, second, journal, outcome, phonesOf } = house()
  const { visitor: dial, visitorThere } = phonesOf(rig)
  await first()
  const visitor = dial()
  await visitor.hearing('greeting')
  visitor.hangUp()
  await outcome(visitor.id)
  const before = await journal(visitor.id)
  await second({ fresh: true })
  // ended after the second process began, so that it cannot remember it
  const late = dial()
  await late.hearing('greeting')
  late.hangUp()
  await outcome(late.id)
  for (const id of [visitor.id, late.id]) {
    assert.is((await visitorThere(id).ended).by, 'server-hangup')
  }
  assert.equal(await journal(visitor.id), before)
})

test('a process that lives keeps its visitor: a second leg elsewhere is hung up', async (rig) => {
  const { kept, phonesOf } = house()
  const { visitor: dial, visitorThere } = phonesOf(rig)
  await pair()
  const visitor = dial()
  await visitor.hearing('ask-unit')
  await kept(visitor.id, 'unit', 'asking')
  const again = visitorThere(visitor.id)
  assert.is((await again.ended).by, 'server-hangup')
  await visitor.press('101#')
  await visitor.hearing('ask-name')
})

test('a resident who comes to another process than the call is carried there, and both hear each other', async (rig) => {
  const { kept, legOf, outcome, prompts, phonesOf } = house()
  const { visitor: dial, residentThere } = phonesOf(rig)
  const [first, second] = await pair()
  const visitor = dial()
  await ring(visitor, kept)
  const answer = residentThere(await legOf(visitor.id))
  await answer.hearing('resident-greeting')
  await answer.press('3')
  await Promise.all([visitor.heard('talk-visitor'), answer.heard('talk-resident')])
  await kept(visitor.id, 'talk', 'bridged')
  await carried(answer, visitor, 'sample-resident-talk', prompts)
  await carried(visitor, answer, 'sample-visitor-purpose', prompts)
  await answer.press('1')
  const ends = await Promise.all([visitor.ended, answer.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  assert.is((await outcome(visitor.id)).outcome, 'authorized')
  assert.match(second.out(), /a leg is relayed to its call/)
  // what nobody has is told so there too
  const stray = residentThere()
  assert.is(goodbyeOf(await stray.ended), 'visit-over, whole, server-hangup')
  assert.is(first.child.exitCode, null)
})

test('a process that drains waits for the residents that it carries', async (rig) => {
  const { kept, phonesOf } = house()
  const { visitor: dial, residentThere } = phonesOf(rig)
  const [, second] = await pair()
  const visitor = dial()
  await ring(visitor, kept)
  const answer = residentThere(visitor.id)
  await answer.hearing('resident-greeting')
  second.child.kill('SIGTERM')
  await answer.hearing('menu')
  await answer.press('1')
  const ends = await Promise.all([visitor.ended, answer.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  assert.is((await second.ended).code, 0)
})

test('another process goes on with the calls of one that was killed', async (rig) => {
  const { kept, outcome, journal, phonesOf } = house()
  const { visitor: dial, visitorThere } = phonesOf(rig)
  const [first] = await pair()
  const visitor = dial()
  await visitor.hearing('ask-unit')
  await kept(visitor.id, 'unit', 'asking')
  await kill(first)
  await visitor.ended
  const again = visitorThere(visitor.id)
  await again.hearing('call-restored')
  await again.hearing('ask-unit')
  again.hangUp()
  assert.equal(await outcome(visitor.id), { outcome: 'abandoned', reason: 'visitor-left' })
  const restored = (await journal(visitor.id)).find(({ kind }) => kind === 'restored')
  assert.is(restored?.data['node'], 'second')
})

test('an upgrade of one node of two: a call with the same machines goes on, one with others begins anew and says so', async (rig) => {
  const { kept, journal, database, phonesOf } = house()
  const { visitor: dial, visitorThere } = phonesOf(rig)
  const [first, second] = await pair()
  const [same, changed] = [dial(), dial()]
  for (const visitor of [same, changed]) {
    await visitor.hearing('ask-unit')
    await kept(visitor.id, 'unit', 'asking')
  }
  await kill(first)
  await database.query(`update kept_calls set machines = 'others' where call_id = $1`, [changed.id])
  const [again, anew] = [visitorThere(same.id), visitorThere(changed.id)]
  for (const [visitor, next] of [[again, 'ask-unit'] as const, [anew, 'greeting'] as const]) {
    await visitor.hearing('call-restored')
    await visitor.hearing(next)
  }
  await second.logged('the snapshot of a call is from another version: the call begins anew')
  const begun = async (id: string) =>
    (await journal(id)).map(({ kind }) => kind).filter((kind) => /^(started|restored)$/.test(kind))
  assert.equal(await begun(same.id), ['started', 'restored'])
  await eventually(async () => ((await begun(changed.id)).length === 2 ? true : undefined))
  assert.equal(await begun(changed.id), ['started', 'started'])
})

test('a process that hangs: its visitor is held by another one until the lease is over, and goes on there', async (rig) => {
  const { kept, age, phonesOf } = house()
  const { visitor: dial, visitorThere } = phonesOf(rig)
  const [first] = await pair()
  const visitor = dial()
  await visitor.hearing('ask-unit')
  await kept(visitor.id, 'unit', 'asking')
  first.child.kill('SIGSTOP')
  const again = visitorThere(visitor.id)
  await again.connected
  await age()
  await again.hearing('call-restored')
  await again.hearing('ask-unit')
  again.hangUp()
  await kill(first)
})

test('a visitor who does not come back: the call ends as abandoned, with its events and notes', async (rig) => {
  const { start, kept, eventsOf, outcome, database, age, ...shared } = hastyHouse()
  const { visitor: dial } = shared.phonesOf(rig)
  const first = await shared.first()
  const visitor = dial()
  await ring(visitor, kept)
  await kill(first)
  await visitor.close()
  await age()
  await start()
  assert.equal(await outcome(visitor.id), { outcome: 'abandoned', reason: 'fault' })
  const told = await eventually(() => eventsOf(visitor.id).find(({ type }) => type === 'call.ended'))
  assert.equal([told.data['call_id'], told.data['unit']], [visitor.id, '101'])
  assert.equal(await database.query('select from kept_calls'), [])
})

test('without a process that takes calls, another process ends the call and announces it', async (rig) => {
  const { open, kept, eventsOf, outcome, age, ...shared } = hastyHouse()
  const { visitor: dial } = shared.phonesOf(rig)
  const first = await shared.first()
  await open('worker', { NODE_ID: 'worker', REATTACH_SECONDS: '1' })
  const visitor = dial()
  await visitor.hearing('ask-unit')
  await visitor.press('101#')
  await kept(visitor.id, 'visitor', 'identity')
  await kill(first)
  await visitor.close()
  await age()
  assert.equal(await outcome(visitor.id), { outcome: 'abandoned', reason: 'fault' })
  const told = await eventually(() => eventsOf(visitor.id).find(({ type }) => type === 'call.ended'))
  assert.is(told.data['unit'], '101', 'known before the call itself went on')
})

test.run()
