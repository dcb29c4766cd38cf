import * as assert from 'uvu/assert'
import type { EventRow } from '../../src/calls/index.ts'
import { snapshotBy } from '../../src/http/call-view.ts'
import { conversationOf } from '../../src/http/conversation.ts'
import { suite } from '../rig/rig.ts'

const test = suite('http: conversation')

const at = new Date(0)
let seq = 0
const event = (kind: string, leg: EventRow['leg'], data: unknown = {}): EventRow => {
  return { callId: 'c', seq: seq++, at, kind, leg, data }
}

test('a journal becomes a conversation in the language of the call', () => {
  const events = [
    event('started', null),
    event('said', 'visitor', {
      pieces: ['greeting', { speak: 'Vila das <b>Flores</b>' }, { pause: 300 }],
      ms: 900,
      interrupted: true,
    }),
    event('key', 'visitor', { key: '7', via: 'dtmf' }),
    event('said', 'visitor', { pieces: ['beep'], ms: 200, interrupted: false }),
    event('recorded', 'visitor', { name: 'identity', ms: 1200, heard: true }),
    event('recorded', 'visitor', { name: 'purpose', ms: 0, heard: false }),
    event('understood', 'visitor', {
      unit: '101',
      match: 'found',
      intent: 'delivery',
      source: 'rules',
      problem: null,
    }),
    event('said', 'resident', {
      pieces: ['resident-greeting', { spell: '101' }, { recording: 'identity' }],
      ms: 5,
      interrupted: false,
    }),
    event('understood', 'resident', { answer: 'authorize', confidence: 0.9 }),
    event('speech.started', 'visitor', { at: 5 }),
    event('said', 'resident', { pieces: ['no-such-prompt'], ms: 5, interrupted: false }),
    event('said', 'resident', null),
  ]
  const told = (locale: 'pt-BR' | 'en') =>
    conversationOf(events, locale).map(({ who, leg, kind, text, recording, interrupted }) =>
      [who, leg, kind, text, recording, interrupted].join('|'),
    )
  const portuguese = told('pt-BR')
  assert.equal(portuguese.slice(0, 4), [
    'porteiro|visitor|said|Olá! Aqui é a portaria. Vila das <b>Flores</b>||true',
    'visitor|visitor|key|7||false',
    'visitor|visitor|recorded||identity|false',
    'visitor|visitor|understood|101 · delivery||false',
  ])
  assert.match(portuguese[4]!, /^porteiro\|resident\|said\|.+ 101\|identity\|false$/)
  assert.is(portuguese[5], 'resident|resident|understood|authorize||false')
  assert.is(portuguese.length, 6)
  assert.match(told('en')[0]!, /Hello! This is the gatehouse\./)
})

test('the states of a call on another node are the latest in its journal', () => {
  const state = (actor: string, name: string) => event('state', null, { actor, state: name, on: 'x' })
  const events = [
    event('leg.connected', 'visitor'),
    state('call', 'attending'),
    state('visitor', 'unit.asking'),
    event('leg.connected', 'resident'),
    state('call', 'reaching.answered.consulting'),
    state('resident', 'announcing'),
    event('leg.closed', 'visitor'),
  ]
  assert.equal(snapshotBy(events), {
    state: 'reaching.answered.consulting',
    legs: ['resident'],
    children: { visitor: 'unit.asking', resident: 'announcing' },
  })
})

test.run()
