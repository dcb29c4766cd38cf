import * as assert from 'uvu/assert'
import { changeTenant } from '../../src/directory/sql/tenants.ts'
import { playResident } from '../../src/simulator/script.ts'
import { timedSuite } from '../rig/clock.ts'
import { eventually } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = timedSuite('service: proving')

/** Prompts that make up the speech of a mailbox. */
const SPEECH = ['sample-resident-talk', 'sample-visitor-purpose', 'sample-resident-talk']

test('a mailbox is released within 8 s of its answer, and the next telephone is called and decides', async (rig) => {
  const { rung, resident, noted, ending, events } = await openService(rig, {
    prompts: 'real',
    answerCheck: 'natural',
  })
  const visitor = await rung()
  const mailbox = resident(visitor.id)
  for (const prompt of SPEECH) mailbox.say({ prompt }).catch(() => undefined)
  const { at, by } = await mailbox.ended
  assert.is(by, 'server-hangup')
  assert.ok(at <= 8000, `${at} ms`)
  const heard = mailbox.transcript.filter(({ type }) => type === 'hearing')
  assert.equal(heard, [], 'nothing is said into a mailbox')
  await noted(visitor.id, 'attempt.ended', { end: 'machine' })
  const calledAgain = () =>
    events.filter(({ callId, kind }) => callId === visitor.id && kind === 'resident.wanted').length === 2
  await eventually(() => calledAgain() || undefined)
  const person = resident(visitor.id)
  const [answered] = await Promise.all([playResident(person, { keys: '1' }), visitor.ended])
  assert.is(answered.goodbye?.prompt, 'farewell-resident-authorized')
  assert.is((await ending(visitor.id)).outcome, 'authorized')
})

test('a setting of the tenant applies to the next call, without a refresh', async (rig) => {
  const { service, rung, resident, noted } = await openService(rig, { answerCheck: 'natural' })
  await changeTenant(service.database, 'default', { answerCheck: 'key' })
  const visitor = await rung()
  const silent = resident(visitor.id)
  await silent.hearing('press-any-key')
  await silent.press('5')
  await noted(visitor.id, 'state', { actor: 'resident', state: 'announcing' })
  visitor.hangUp()
  await silent.ended
})

test.run()
