import * as assert from 'uvu/assert'
import { callAfter, NOTHING_YET, snapshotAfter } from '../../src/web/live/call-fold.js'
import { suite } from '../rig/rig.ts'

const test = suite('call fold')

const AT = '2026-03-01T12:00:00.000Z'
const event = (kind: string, data: object = {}, leg: 'visitor' | 'resident' | null = null) => ({
  kind,
  leg,
  data,
  at: AT,
})
const call = {
  id: 'one',
  state: 'attending',
  endedAt: null,
  outcome: null,
  awaitingVisitor: false,
  snapshot: null,
}

test("a state of the call's own machine is the call's, a child's is in the snapshot only", () => {
  const attended = callAfter(call, event('state', { actor: 'call', state: 'reaching.searching', on: 'x' }))
  assert.is(attended.state, 'reaching.searching')
  assert.is(attended.id, 'one')
  const asked = callAfter(attended, event('state', { actor: 'resident', state: 'announcing', on: 'x' }))
  assert.is(asked.state, 'reaching.searching')
  assert.equal(asked.snapshot, {
    state: 'reaching.searching',
    legs: [],
    children: { resident: 'announcing' },
  })
})

test('a leg is there once from its connection to its close', () => {
  const legs = (...kinds: string[]) =>
    kinds.reduce((snapshot, kind) => snapshotAfter(snapshot, event(kind, {}, 'visitor')), NOTHING_YET).legs
  assert.equal(legs('leg.connected', 'leg.connected'), ['visitor'])
  assert.equal(legs('leg.connected', 'leg.closed'), [])
})

test('a call that goes on waits for its visitor no more, and one that ended has its outcome', () => {
  assert.is(callAfter({ ...call, awaitingVisitor: true }, event('restored')).awaitingVisitor, false)
  const ended = callAfter({ ...call, awaitingVisitor: true }, event('ended', { outcome: 'denied' }))
  assert.equal(ended, { ...call, state: 'ended', endedAt: AT, outcome: 'denied' })
})

test('an event that tells no state leaves the call as it is', () => {
  assert.is(callAfter(call, event('key', { key: '1' }, 'visitor')), call)
  assert.is(callAfter(call, event('state', { actor: 7 })), call)
})

test.run()
