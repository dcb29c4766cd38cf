import * as assert from 'uvu/assert'
import type { ContactPlan } from '../../src/directory/index.ts'
import { openPostgresProxy } from '../rig/postgres-proxy.ts'
import { kill, prepareHouse } from '../rig/recovery-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { goodbyeOf } from '../rig/service-rig.ts'
import { freePort } from '../rig/site-rig.ts'

// each look-up without a database takes 15 s before it is given up, and each test starts a node
const test = suite('a call lost with its process and its disk', { timeout: 240_000 })

/** Two nodes without a common disk, each with a way of its own to the database; the tests kill one of them. */
const nodes = test.share(async (rig) => {
  const house = await prepareHouse(rig)
  const { database, url } = house
  const open = async (name: string) => {
    const [proxy, visitor, resident] = await Promise.all([
      openPostgresProxy(rig, url),
      freePort(),
      freePort(),
    ])
    const process = await house.start(name, {
      DATABASE_URL: proxy.url,
      DATA_DIR: await house.home(),
      AUDIOSOCKET_VISITOR_PORT: String(visitor),
      AUDIOSOCKET_RESIDENT_PORT: String(resident),
      OPERATOR_EXTENSION: '9000',
    })
    rig.defer(() => kill(process))
    return { process, proxy, visitor, resident }
  }
  const there = await open('there')
  const plans = async (plan: ContactPlan) => {
    await database.query(`update tenants set settings = settings || jsonb_build_object('plan', $1::jsonb)`, [
      JSON.stringify(plan),
    ])
    // also for the time without a database
    await eventually(async () => (await there.process.ask('/api/refresh', {})).status === 200 || undefined)
  }
  return { ...house, open, there, plans }
})

/** A visitor whose resident is being called when the process is killed; the database never had the call. */
async function lose(rig: Rig): Promise<string> {
  const { open, phoneOf, there } = nodes()
  const here = await open('here')
  // it knows that there is another one
  await there.process.ask('/api/refresh', {})
  here.proxy.cut()
  const visitor = phoneOf(rig, { port: here.visitor, role: 'visitor' })
  await visitor.hearing('ask-unit')
  await visitor.press('101#')
  await visitor.hearing('ask-name')
  // says nothing, and is announced without a name
  await visitor.press('##')
  await visitor.hearing('calling-unit')
  await kill(here.process)
  return visitor.id
}

/** As the dialplan connects it again, at the other node. */
function comesBack(rig: Rig, id: string) {
  const { phoneOf, there } = nodes()
  return phoneOf(rig, { port: there.visitor, role: 'visitor', id: id.replace(/^(.{14})4/, '$18') })
}

function operator(rig: Rig, id: string) {
  const { phoneOf, there } = nodes()
  return phoneOf(rig, { port: there.resident, role: 'resident', id })
}

test('its visitor hears an apology and reaches the operator; nobody is asked anew', async (rig) => {
  const { plans, journal, outcome } = nodes()
  await plans([{ kind: 'call' }, { kind: 'operator', attempts: 1 }])
  const id = await lose(rig)
  const visitor = comesBack(rig, id)
  await visitor.hearing('call-restored')
  await visitor.hearing('putting-through')
  const wanted = await eventually(async () => {
    const found = (await journal(id)).filter(({ kind }) => kind === 'resident.wanted')
    return found.length > 0 ? found : undefined
  })
  assert.equal(
    wanted.map(({ data }) => data['unit']),
    [null],
  )
  const answer = operator(rig, id)
  await answer.hearing('visitor-cut-off')
  await answer.press('1')
  const ends = await Promise.all([visitor.ended, answer.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  assert.equal(await outcome(id), { outcome: 'authorized', reason: null })
})

test('its visitor reaches the operator while the database is away for the other node, too', async (rig) => {
  const { plans, there, outcome } = nodes()
  await plans([{ kind: 'call' }, { kind: 'operator', attempts: 1 }])
  const id = await lose(rig)
  rig.defer(() => there.proxy.heal())
  there.proxy.cut()
  const visitor = comesBack(rig, id)
  // held first: the database may come back, and know the call
  await visitor.hearing('one-moment')
  await visitor.hearing('call-restored')
  await visitor.hearing('putting-through')
  const answer = operator(rig, id)
  await answer.hearing('visitor-cut-off')
  await answer.press('2')
  await Promise.all([visitor.ended, answer.ended])
  there.proxy.heal()
  assert.equal(await outcome(id), { outcome: 'denied', reason: null })
})

test('its visitor is asked anew where the contact plan has no operator, after an apology', async (rig) => {
  await nodes().plans([{ kind: 'call' }])
  const visitor = comesBack(rig, await lose(rig))
  await visitor.hearing('call-restored')
  await visitor.hearing('greeting')
  await visitor.hearing('ask-unit')
  visitor.hangUp()
})

test.run()
