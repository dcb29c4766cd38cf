import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { openApartPhone } from '../rig/apart-phone.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { goodbyeOf, openService, type Scene } from '../rig/service-rig.ts'

const test = suite('service: media thread')

/** ms for which the main thread does nothing else. */
const BLOCKED_MS = 3000

/** A service with a media thread, and that thread. */
async function openThreaded(rig: Rig, { settings, ...scene }: Scene = {}) {
  const started = once(process, 'worker') as Promise<[Worker]>
  const house = await openService(rig, { ...scene, settings: { MEDIA_THREADS: '1', ...settings } })
  return { ...house, thread: (await started)[0] }
}

for (const threads of ['1', '2'])
  test(`a visit with a talk passes through ${threads} of them, and ends with whole goodbyes and whole recordings`, async (rig) => {
    const house = await openThreaded(rig, { settings: { RECORD_CALLS: 'on', MEDIA_THREADS: threads } })
    const { service } = house
    const visitor = await house.rung()
    const resident = house.resident(visitor.id)
    await resident.hearing('menu')
    await resident.press('3')
    await house.noted(visitor.id, 'state', { actor: 'talk', state: 'bridged' })
    await visitor.say({ prompt: 'sample-visitor-name' })
    await resident.press('1')
    const ends = await Promise.all([visitor.ended, resident.ended])
    assert.equal(ends.map(goodbyeOf), [
      'farewell-visitor-authorized, whole, server-hangup',
      'farewell-resident-authorized, whole, server-hangup',
    ])
    assert.is((await house.ending(visitor.id)).outcome, 'authorized')
    const count = (kind: string) => house.events.filter((event) => event.kind === kind).length
    assert.equal([count('leg.recorded'), count('bridged')], [2, 2])
    assert.ok(service.status().frameLateness.count > 100)
  })

test('the thread is killed in a talk: the visitor connects again, the call goes on, and the resident is called again', async (rig) => {
  const house = await openThreaded(rig, { mayFail: true })
  const visitor = await house.rung({ reconnect: true, mayViolate: true })
  const resident = house.resident(visitor.id, { mayViolate: true })
  await resident.hearing('menu')
  await resident.press('3')
  await house.noted(visitor.id, 'state', { actor: 'talk', state: 'bridged' })
  await house.thread.terminate()
  await resident.ended
  await house.noted(visitor.id, 'restored')
  const again = await eventually(() =>
    house.events.filter(({ callId, kind }) => callId === visitor.id && kind === 'resident.wanted').length > 1
      ? house.resident(visitor.id)
      : undefined,
  )
  await again.hearing('menu')
  await again.press('1')
  await again.ended
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
  assert.equal(
    house.linesOf('error').map(({ code }) => code),
    ['MEDIA_THREAD_LOST'],
  )
})

test('the thread is killed and the visitor stays away: the call ends as abandoned', async (rig) => {
  const house = await openThreaded(rig, { mayFail: true, settings: { REATTACH_SECONDS: '1' } })
  const visitor = await house.rung({ mayViolate: true })
  await house.thread.terminate()
  await visitor.ended
  const { outcome, reason } = await house.ending(visitor.id)
  assert.equal({ outcome, reason }, { outcome: 'abandoned', reason: 'fault' })
})

test('the main thread is blocked: the telephone hears every frame, and the key that was pressed meanwhile counts', async (rig) => {
  const house = await openThreaded(rig, { prompts: 'real' })
  const { service } = house
  const id = randomUUID()
  const phone = openApartPhone(rig, { port: service.ports.visitor, id })
  await house.noted(id, 'leg.connected')
  await eventually(async () => ((await phone.heard()).frames > 25 ? true : undefined))
  const before = await phone.heard()
  phone.press('1', BLOCKED_MS / 3)
  const until = performance.now() + BLOCKED_MS
  while (performance.now() < until);
  const after = await phone.heard()
  // most of 150; with sound on this thread it would be 3
  assert.ok(after.frames - before.frames > 75, `${after.frames - before.frames} frames came`)
  await house.noted(id, 'key', { key: '1' })
  const stalls = await eventually(() =>
    house.lines.find(({ msg }) => msg === 'the main thread was blocked; sound went on'),
  )
  assert.ok(Number(stalls['ms']) >= 2000)
  service.calls.hangUp(id, 'visitor', 'test')
  await house.ending(id)
})

test.run()
