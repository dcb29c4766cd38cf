import * as assert from 'uvu/assert'
import { playResident, playVisitor } from '../../src/simulator/script.ts'
import { timedSuite } from '../rig/clock.ts'
import { eventually } from '../rig/rig.ts'
import { goodbyeOf, openService } from '../rig/service-rig.ts'

const test = timedSuite('service: load')

const CALLS = 25

// how evenly, and what the heap keeps, is measured by the bench `load`
test(`${CALLS} calls at once all hear everything, and leave nothing behind`, async (rig) => {
  const { service, visitor, resident, noted } = await openService(rig)
  let most = 0
  rig.defer(
    service.journal.subscribe(() => {
      most = Math.max(most, service.calls.counts().legs)
    }),
  )
  const visit = async () => {
    const phone = visitor()
    const played = playVisitor(phone, { keys: '101#' })
    await noted(phone.id, 'resident.wanted')
    return Promise.all([played, playResident(resident(phone.id), { keys: '1' })])
  }
  const ends = (await Promise.all(Array.from({ length: CALLS }, visit))).flat()
  await eventually(() => service.calls.counts().calls === 0 || undefined)
  assert.is(most, 2 * CALLS)
  assert.equal([...new Set(ends.map(goodbyeOf))].sort(), [
    'farewell-resident-authorized, whole, server-hangup',
    'farewell-visitor-authorized, whole, server-hangup',
  ])
  assert.equal(service.calls.counts(), { calls: 0, legs: 0, outcomes: { authorized: CALLS } })
  assert.is(service.media.counts().detectors, 0)
  const { open, handshaking, refused } = service.status().audiosocket
  assert.equal({ open, handshaking, refused }, { open: 0, handshaking: 0, refused: {} })
})

test.run()
