import * as assert from 'uvu/assert'
import { attemptsOf, callAfter, NOTHING_YET, snapshotAfter } from '../../src/web/live/call-fold.js'
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

const began = (attemptId: string, kind: string, residentId: string | null = '1') =>
  event('attempt.began', { attemptId, kind, residentId })
const state = (name: string) => event('state', { actor: 'call', state: name, on: 'x' })
const ended = (attemptId: string, end: string) =>
  event('attempt.ended', { attemptId, kind: 'call', residentId: '1', end })
/** How far each attempt came, and why it ended. */
const told = (...events: Parameters<typeof attemptsOf>[0]) =>
  attemptsOf(events).map(({ id, progress, end }) => `${id} ${progress} ${end}`)

test('an attempt rings, is answered, and ends as its line does', () => {
  const line = [
    began('a', 'call'),
    event('dial', { attempt: 'a', contact: '1' }),
    event('telephone.ringing', { attempt: 'a' }),
    event('attempt.answered', { attemptId: 'a', kind: 'call', residentId: '1' }),
    state('reaching.answered.proving'),
    state('reaching.answered.talking'),
  ]
  const all = [...line, ended('a', 'left'), state('reaching.searching')]
  assert.equal(
    all.map((_, at) => told(...all.slice(0, at + 1)).join()),
    [
      'a calling null',
      'a calling null',
      'a ringing null',
      'a answered null',
      'a proving null',
      'a talking null',
      'a talking left',
      'a talking left',
    ],
  )
})

test('the first answer ends the other telephones, the end of the search those that ring, and the question in writing stays open', () => {
  const first = [
    began('w', 'whatsapp', null),
    event('asked', { residents: 2 }),
    began('a', 'together'),
    began('b', 'together'),
    event('attempt.answered', { attemptId: 'b', kind: 'together', residentId: '1' }),
  ]
  assert.equal(told(...first), ['w asked null', 'a calling elsewhere', 'b answered null'])
  const later = [...first, ended('b', 'undecided'), began('c', 'call')]
  assert.equal(told(...later, state('concluding.farewell')), [
    'w asked unanswered',
    'a calling elsewhere',
    'b answered undecided',
    'c calling cancelled',
  ])
  assert.equal(told(...later, state('attending')).at(-1), 'c calling cancelled')
  const written = attemptsOf([
    ...later,
    state('concluding.deciding'),
    event('decided', { verdict: 'denied', by: 'resident', via: 'whatsapp' }),
  ])
  assert.equal([written[0]!.end, written[0]!.verdict], ['decided', 'denied'])
})

test('who decided by key has the verdict, in whatever order the events are noted', () => {
  const line = [
    began('a', 'call'),
    event('attempt.answered', { attemptId: 'a', kind: 'call', residentId: '1' }),
  ]
  const last = [
    event('decided', { verdict: 'authorized', by: 'resident', via: 'key' }),
    ended('a', 'decided'),
  ]
  for (const order of [last, last.toReversed()]) {
    const [one] = attemptsOf([...line, ...order])
    assert.equal([one!.end, one!.verdict], ['decided', 'authorized'])
  }
  const [other] = attemptsOf([...line, event('decided', { verdict: 'denied', by: 'porter', via: 'api' })])
  assert.is(other!.verdict, null)
})

test('journals of older versions have no beginnings', () => {
  assert.equal(
    told(event('dial', { attempt: 'a', contact: '7' }), ended('a', 'busy'), ended('b', 'unasked')),
    ['a calling busy', 'b calling unasked'],
  )
})

test.run()
