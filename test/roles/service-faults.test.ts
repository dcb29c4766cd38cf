import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { HEADER_BYTES, KIND, message, NIL_UUID } from '../../src/audiosocket/frame.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/database.ts'
import { createDice, openPeer } from '../rig/audiosocket-peer.ts'
import { timedSuite } from '../rig/clock.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { eventually, type Rig } from '../rig/rig.ts'
import { assertSteady, goodbyeOf, type House, openService } from '../rig/service-rig.ts'

const test = timedSuite('service: faults')

const uuid = (id: string = randomUUID()) => message(KIND.uuid, Buffer.from(id.replaceAll('-', ''), 'hex'))
const audio = message(KIND.slin8, Buffer.alloc(320, 1))

/** A call whose resident listens to the menu; resolves with what tells, once all is over, that neither leg noticed. */
async function callInProgress({ rung, resident, ending }: House) {
  const visitor = await rung()
  const answer = resident(visitor.id)
  await answer.hearing('menu')
  return async () => {
    await answer.heard('menu')
    await answer.press('1')
    const ends = await Promise.all([visitor.ended, answer.ended])
    assert.equal(ends.map(goodbyeOf), [
      'farewell-visitor-authorized, whole, server-hangup',
      'farewell-resident-authorized, whole, server-hangup',
    ])
    for (const end of ends) assertSteady(end)
    assert.ok(
      visitor.transcript.some((event) => event.type === 'heard' && event.prompt === 'resident-answered'),
    )
    assert.is((await ending(visitor.id)).outcome, 'authorized')
  }
}

/** Sends all of it on a connection of its own; resolves when the service has closed it. */
async function send(rig: Rig, port: number, bytes: Buffer): Promise<void> {
  const { socket, closed } = await openPeer(rig, port)
  socket.write(bytes)
  await closed
}

test('a call in progress notices nothing of what else comes to the ports', async (rig) => {
  const house = await openService(rig)
  const { service } = house
  const finish = await callInProgress(house)
  const dice = createDice(7)
  const garbage = () => Buffer.from(Array.from({ length: 400 }, (_, at) => (at === 0 ? 0x47 : dice())))
  const faults: Record<string, () => Buffer> = {
    FRAME_UNKNOWN_KIND: garbage,
    HANDSHAKE_INVALID: () => audio,
    HANDSHAKE_TIMEOUT: () => audio.subarray(0, 0),
    UUID_NIL: () => uuid(NIL_UUID),
    FRAME_EMPTY: () => Buffer.concat([uuid(), Buffer.alloc(3 * 1000, Buffer.from([KIND.slin8, 0, 0]))]),
    FRAME_OVERSIZED: () => Buffer.concat([uuid(), message(KIND.slin8, Buffer.alloc(65_535))]),
    UUID_REPEATED: () => Buffer.concat([uuid(), uuid()]),
    PEER_ERROR: () => Buffer.concat([uuid(), message(KIND.error, Buffer.from([1]))]),
  }
  await Promise.all(
    Object.values(faults).flatMap((bytes) =>
      [service.ports.visitor, service.ports.resident].map((port) => send(rig, port, bytes())),
    ),
  )
  const { refused } = service.status().audiosocket
  assert.equal(refused, Object.fromEntries(Object.keys(faults).map((code) => [code, 2])))
  assert.equal(await eventually(() => (service.calls.counts().calls === 1 ? true : undefined)), true)
  await finish()
})

test('a connection may end, or break, anywhere in its first two messages', async (rig) => {
  const house = await openService(rig)
  const { service } = house
  const finish = await callInProgress(house)
  const cut = async (length: number, end: 'fin' | 'rst', port: number) => {
    const { socket, closed } = await openPeer(rig, port)
    const bytes = Buffer.concat([uuid(), audio]).subarray(0, length)
    await new Promise((resolve) => socket.write(bytes, resolve))
    if (end === 'fin') socket.end()
    else socket.resetAndDestroy()
    await closed
  }
  const { visitor, resident } = service.ports
  const headers = uuid().length + HEADER_BYTES
  const whole = uuid().length + audio.length
  for (let length = 0; length <= whole; length++) {
    // inside the sound one byte is as another
    if (length > headers + 1 && length < whole - 1 && length % 40 !== 0) continue
    await Promise.all([
      cut(length, 'fin', visitor),
      cut(length, 'rst', visitor),
      cut(length, 'fin', resident),
      cut(length, 'rst', resident),
    ])
  }
  await eventually(() => (service.status().audiosocket.open === 2 ? true : undefined))
  assert.is(service.calls.counts().calls, 1)
  await finish()
})

test('the UUID of a live call, once more on the visitor port, is hung up and the call goes on', async (rig) => {
  const { visitor, rung, resident, ending } = await openService(rig)
  const first = await rung()
  const second = await visitor({ id: first.id }).ended
  assert.is(second.by, 'server-hangup')
  assert.is(second.framesIn, 0)
  const answer = resident(first.id)
  await answer.hearing('menu')
  assert.is(goodbyeOf(await resident(first.id).ended), 'already-answered, whole, server-hangup')
  await answer.press('1')
  assert.equal((await Promise.all([first.ended, answer.ended])).map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  assert.is((await ending(first.id)).outcome, 'authorized')
})

test('the UUID of an ended call starts nothing, not even after a restart', async (rig) => {
  const url = await openDatabaseUrl(rig)
  const first = await openService(rig, { url })
  const phone = first.visitor()
  await phone.connected
  phone.hangUp()
  await first.ending(phone.id)
  const again = async ({ visitor, resident, service }: House) => {
    const { by, framesIn, at } = await visitor({ id: phone.id }).ended
    assert.is(by, 'server-hangup')
    assert.is(framesIn, 0)
    assert.ok(at < 500, `told after ${at} ms`)
    assert.is(service.calls.counts().calls, 0)
    assert.is(goodbyeOf(await resident(phone.id).ended), 'visit-over, whole, server-hangup')
  }
  await again(first)
  await first.service.stop()
  const second = await openService(rig, { url })
  await again(second)
  assert.equal(second.service.calls.counts().outcomes, {})
})

test('a resident with an unknown UUID hears that the visit is over', async (rig) => {
  const { resident, service } = await openService(rig, { prompts: 'real' })
  const end = await resident(randomUUID()).ended
  assert.is(goodbyeOf(end), 'visit-over, whole, server-hangup')
  assertSteady(end)
  assert.is(service.calls.counts().calls, 0)
})

test('one call more than MAX_CALLS hears that the lines are busy', async (rig) => {
  const house = await openService(rig, { settings: { MAX_CALLS: '1' } })
  const finish = await callInProgress(house)
  const second = house.visitor()
  assert.is(goodbyeOf(await second.ended), 'lines-busy, whole, server-hangup')
  await finish()
  const third = house.visitor({ id: second.id })
  await third.hearing('greeting')
})

// time that passes by itself would wait for the database
test.real('while the database is blocked the calls go on, and the journal loses nothing', async (rig) => {
  const house = await openService(rig)
  const { rung, resident, service, stored, ending, events } = house
  const blocker = await openDatabase({ url: house.url, dataDir: '', log: silentLog(), max: 1 })
  const release = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const holding = blocker.transaction(async ({ query }) => {
    await query('lock table call_events, calls in access exclusive mode')
    locked.resolve()
    await release.promise
  })
  rig.defer(async () => {
    release.resolve()
    await holding
    await blocker.close()
  })
  await locked.promise
  const visitor = await rung()
  const answer = resident(visitor.id)
  await answer.heard('menu')
  await answer.press('1')
  const ends = await Promise.all([visitor.ended, answer.ended])
  assert.equal(ends.map(goodbyeOf), [
    'farewell-visitor-authorized, whole, server-hangup',
    'farewell-resident-authorized, whole, server-hangup',
  ])
  await ending(visitor.id)
  assert.ok(service.journal.counts().waiting > 0)
  release.resolve()
  const rows = await stored(visitor.id)
  const noted = events.filter(({ callId }) => callId === visitor.id)
  assert.equal(
    rows.map(({ seq, kind }) => `${seq} ${kind}`),
    noted.map(({ seq, kind }) => `${seq} ${kind}`),
  )
  assert.equal(service.journal.counts(), { waiting: 0, lost: 0 })
})

test('stop hangs up both legs at once, and the journal has the end', async (rig) => {
  const url = await openDatabaseUrl(rig)
  const { rung, resident, service } = await openService(rig, { url })
  const visitor = await rung()
  const answer = resident(visitor.id)
  await answer.hearing('menu')
  const before = [visitor.transcript.length, answer.transcript.length]
  await service.stop()
  for (const [index, phone] of [visitor, answer].entries()) {
    assert.is((await phone.ended).by, 'server-hangup')
    const since = phone.transcript.slice(before[index]).filter(({ type }) => type === 'hearing')
    assert.equal(since, [], 'nobody is told a goodbye')
  }
  const database = await openDatabase({ url, dataDir: '', log: silentLog(), max: 1 })
  rig.defer(() => database.close())
  const [row] = await database.query('select state, outcome, reason from calls where id = $1', [visitor.id])
  assert.equal(row, { state: 'ended', outcome: 'expired', reason: 'closing' })
})

test('a draining service lets its call finish, turns new ones away, then stops', async (rig) => {
  const house = await openService(rig)
  const { service, visitor } = house
  const finish = await callInProgress(house)
  service.drain()
  assert.is(goodbyeOf(await visitor().ended), 'service-closing, whole, server-hangup')
  await finish()
  await service.stopped
})

test.run()
