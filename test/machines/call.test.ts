import * as assert from 'uvu/assert'
import type { AnyActorRef } from 'xstate'
import type { AttemptEnd, CallEvent, CallOutput, ContactStep, RingStep, Role } from '../../machines/index.ts'
import { createStage, type Scene } from '../../src/testing/index.ts'
import { simulateTime } from '../rig/clock.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('call machine')

/** A call on a stage under simulated time, with the words a journey is told in. */
function visit(rig: Rig, scene: Scene = {}) {
  const clock = simulateTime(rig)
  const stage = createStage(scene)
  const actor = stage.create()
  const errors: unknown[] = []
  actor.subscribe({ error: (error) => errors.push(error) })
  actor.start()
  rig.defer(() => {
    actor.stop()
    assert.equal(errors, [])
    assert.is(clock.countTimers(), 0, 'timers are left')
  })
  const leaf = (value: unknown): string =>
    typeof value === 'string'
      ? value
      : Object.entries(value as object)
          .map(([name, inner]) => `${name}.${leaf(inner)}`)
          .join(' ')
  /** The state of a machine below the call, by the ids on the way to it. */
  const child = (...path: string[]) => {
    let at: { children?: Record<string, AnyActorRef | undefined>; value?: unknown } = actor.getSnapshot()
    for (const id of path) at = at.children?.[id]?.getSnapshot() ?? {}
    return at.value === undefined ? undefined : leaf(at.value)
  }
  return {
    stage,
    actor,
    clock,
    child,
    state: () => leaf(actor.getSnapshot().value),
    output: () => actor.getSnapshot().output as CallOutput | undefined,
    send: (event: CallEvent) => actor.send(event),
    wait: (ms: number) => clock.tickAsync(ms),
    async press(role: Role, keys: string) {
      for (const key of keys) {
        stage.report(role, { type: 'key.pressed', key })
        await clock.tickAsync(1)
      }
    },
    async hangUp(role: Role) {
      stage.report(role, { type: 'hungUp', how: 'fin' })
      await clock.tickAsync(1)
    },
    async join() {
      actor.send({ type: 'resident.joined' })
      await clock.tickAsync(1)
    },
    heard: (role: Role) =>
      stage.lines.filter((line) => line.role === role).flatMap(({ pieces }) => pieces.map((piece) => piece)),
  }
}

type Visit = ReturnType<typeof visit>

/** Keys 101#, says name and purpose, and waits until the resident is rung. */
async function ring(v: Visit) {
  await v.press('visitor', '101#')
  await v.wait(1000 + 1000 + 2000) // question, beep, name
  await v.wait(1000 + 1000 + 2000) // question, beep, purpose
  await v.wait(1)
  // calling, one unit, wait: heard first where nothing rings at once
  if (v.state() === 'announcing') await v.wait(3000)
}

async function answer(v: Visit) {
  await ring(v)
  await v.join()
}

function attempt(kind: RingStep['kind'], ringMs: number): ContactStep {
  return { kind, contact: { residentId: kind, name: kind, number: '1' }, ringMs }
}

test('a visitor keys the unit, the resident authorizes, both hear it and are hung up', async (t) => {
  const v = visit(t)
  assert.is(v.child('visitor'), 'greeting')
  await ring(v)
  assert.match(v.state(), /^reaching\.searching/)
  assert.is(v.child('contact'), 'calling.ringing')
  assert.equal([...v.stage.tones], ['visitor:ringback'])
  assert.is(v.stage.dialled.length, 1)
  assert.is(v.stage.dialled[0]!.contact.number, '1101')

  await v.join()
  assert.is(v.state(), 'reaching.answered.consulting')
  assert.is(v.stage.ringing().length, 0)
  assert.equal([...v.stage.tones], ['visitor:hold'])
  await v.wait(20_000)
  assert.equal(v.heard('resident').slice(0, 7), [
    'resident-greeting',
    'visitor-at-gate',
    { spell: '101' },
    'visitor-name',
    { recording: 'identity' },
    'visitor-purpose',
    { recording: 'purpose' },
  ])
  await v.press('resident', '1')
  assert.is(v.child('concluding'), 'farewell')
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-authorized')
  assert.equal(v.heard('resident').at(-1), 'farewell-resident-authorized')
  assert.equal([...v.stage.tones], [])

  await v.wait(1000)
  assert.is(v.child('concluding'), 'lingering')
  await v.wait(3998)
  assert.equal(v.stage.hungUp, [], 'not before the delay is over')
  await v.wait(2)
  assert.equal(v.stage.hungUp, ['visitor', 'resident'])
  assert.is(v.state(), 'ended')
  assert.equal(v.output()?.outcome, 'authorized')
  assert.equal(v.output()?.decision?.via, 'key')
  assert.equal(v.stage.released, [])
})

for (const [how, event] of [
  ['leaves', { type: 'visitor.hungUp', how: 'hangup' }],
  ['is let in', { type: 'decision.given', verdict: 'authorized', by: 'porter', via: 'api' }],
] as const) {
  test(`a visitor who keyed the unit and ${how} before anybody is rung: the record says whom it was for`, async (t) => {
    const v = visit(t)
    await v.press('visitor', '101#')
    assert.is(v.state(), 'attending')
    v.send(event)
    assert.is(v.actor.getSnapshot().context.unit?.number, '101')
  })
}

test('the goodbye is heard to its end, however short the hangup delay', async (t) => {
  const v = visit(t, { settings: { hangupDelayMs: 0 }, pieceMs: 6000 })
  await v.press('visitor', '101#')
  v.send({ type: 'decision.given', verdict: 'denied', by: 'porter', via: 'api' })
  await v.wait(5990)
  assert.equal(v.stage.hungUp, [])
  await v.wait(20)
  assert.equal(v.stage.hungUp, ['visitor'])
  assert.equal(v.output()?.outcome, 'denied')
})

test('a resident who denies', async (t) => {
  const v = visit(t)
  await answer(v)
  await v.press('resident', '2')
  await v.wait(6000)
  assert.equal(v.output()?.outcome, 'denied')
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-denied')
})

test('a resident who talks first, then decides', async (t) => {
  const v = visit(t)
  await answer(v)
  await v.press('resident', '3')
  assert.is(v.child('talk'), 'introducing')
  await v.wait(1000)
  assert.is(v.child('talk'), 'bridged')
  assert.ok(v.stage.isBridged())
  await v.press('resident', '91')
  assert.not.ok(v.stage.isBridged())
  await v.wait(6000)
  assert.equal(v.output()?.outcome, 'authorized')
})

test('a talk that nobody ends is ended', async (t) => {
  const v = visit(t)
  await answer(v)
  await v.press('resident', '3')
  await v.wait(120_000 + 6000)
  assert.equal(v.output(), { ...v.output()!, outcome: 'undecided', reason: 'undecided' })
})

test('4 repeats the announcement, another key explains the keys', async (t) => {
  const v = visit(t)
  await answer(v)
  await v.press('resident', '4')
  assert.is(v.child('resident'), 'announcing')
  assert.is(v.heard('resident').filter((piece) => piece === 'resident-greeting').length, 2)
  assert.ok(v.stage.lines.some((line) => line.role === 'resident' && line.interrupted))
  await v.press('resident', '7')
  assert.is(v.child('resident'), 'deciding.explaining')
  await v.press('resident', '8')
  assert.equal(v.heard('resident').slice(-2), ['menu-again', 'menu'])
})

test('a resident who presses nothing hears the menu once more and is let go', async (t) => {
  const v = visit(t, { attempts: [attempt('call', 30_000)] })
  await answer(v)
  await v.wait(8000 + 8000)
  assert.is(v.child('resident'), 'deciding.reminding')
  await v.wait(1000 + 8000)
  assert.is(v.state(), 'reaching.answered.releasing')
  assert.equal(v.heard('resident').at(-1), 'farewell-resident-undecided')
  await v.wait(1000)
  assert.equal(v.stage.hungUp, ['resident'])
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-undecided')
  await v.wait(6000)
  assert.equal(v.output()?.reason, 'undecided')
  assert.equal(v.output()?.outcome, 'undecided')
})

const PLAN: ContactStep[] = [
  { kind: 'call', contact: { residentId: 'ana', name: 'Ana', number: '1101' }, ringMs: 30_000 },
  { kind: 'call', contact: { residentId: 'bruno', name: 'Bruno', number: '1102' }, ringMs: 30_000 },
  attempt('operator', 20_000),
]

/** What may come of Ana's attempt, how it ends, and what it takes. */
const POOR_ANSWERS: Record<
  string,
  { end: AttemptEnd; scene?: Scene; react?: (v: Visit) => Promise<unknown> }
> = {
  'Ana does not decide': {
    end: 'undecided',
    react: async (v) => {
      await v.join()
      await v.wait(8000 + 8000 + 1000 + 8000 + 1001)
    },
  },
  'Ana answers and leaves': {
    end: 'left',
    react: async (v) => {
      await v.join()
      await v.wait(1500)
      await v.hangUp('resident')
    },
  },
  'Ana talks and leaves, and the tenant wants the next to be called': {
    end: 'left',
    scene: { settings: { afterTalk: 'next' } },
    react: async (v) => {
      await v.join()
      await v.press('resident', '3')
      await v.wait(5000)
      await v.hangUp('resident')
    },
  },
  'Ana cannot be reached': {
    end: 'failed',
    scene: {
      dial: async ({ contact }) => {
        if (contact.residentId === 'ana') throw new Error('refused')
      },
    },
  },
  'Ana is busy': { end: 'busy', react: async (v) => v.stage.endRing('busy') },
  'Ana declines': { end: 'declined', react: async (v) => v.stage.endRing('declined') },
  "Ana's number does not exist": { end: 'unallocated', react: async (v) => v.stage.endRing('unallocated') },
  'the line to Ana is congested': { end: 'congested', react: async (v) => v.stage.endRing('congested') },
  'Ana does not answer': { end: 'unanswered', react: (v) => v.wait(30_000) },
}

for (const [title, { end, scene, react }] of Object.entries(POOR_ANSWERS)) {
  test(`${title}: Bruno is called once, and decides`, async (t) => {
    const v = visit(t, { ...scene, attempts: PLAN })
    await ring(v)
    await react?.(v)
    await v.wait(3001)
    assert.is(v.child('contact'), 'calling.ringing')
    assert.equal(
      v.stage.dialled.map(({ contact }) => contact.name),
      ['Ana', 'Bruno'],
    )
    await v.join()
    await v.press('resident', '1')
    await v.wait(6000)
    assert.is(v.output()?.outcome, 'authorized')
    assert.is(v.stage.dialled.length, 2)
    assert.equal(
      v.output()?.attempts.map(({ residentId, end }) => [residentId, end]),
      [
        ['ana', end],
        ['bruno', 'decided'],
      ],
    )
  })
}

test('after a talk without a decision the visit ends', async (t) => {
  const ends = visit(t, { attempts: PLAN })
  await answer(ends)
  await ends.press('resident', '3')
  await ends.wait(5000)
  await ends.hangUp('resident')
  await ends.wait(6000)
  assert.equal(ends.output(), { ...ends.output()!, outcome: 'undecided', reason: 'resident-left' })
  assert.is(ends.output()?.attempts.at(-1)?.end, 'concluded')
})

test('after a talk without a decision the next is called if the tenant has set so', async (t) => {
  const v = visit(t, { attempts: PLAN, settings: { afterTalk: 'next' } })
  await answer(v)
  await v.press('resident', '3')
  await v.wait(5000)
  await v.hangUp('resident')
  assert.equal(v.heard('visitor').at(-1), 'trying-on')
  await v.wait(3001)
  assert.is(v.stage.dialled.at(-1)!.contact.name, 'Bruno')
})

const CHECKED = { attempts: PLAN, settings: { answerCheck: 'natural' } } as const

test('a mailbox at Ana: Bruno is called once, hears everything after a hello, and decides', async (t) => {
  const v = visit(t, CHECKED)
  await ring(v)
  await v.join()
  assert.is(v.state(), 'reaching.answered.proving')
  assert.equal([...v.stage.tones], ['visitor:ringback'])
  v.stage.report('resident', { type: 'speech.started' })
  await v.wait(3500)
  assert.equal(v.heard('resident'), [], 'nothing is said to a machine')
  assert.equal(v.stage.hungUp, ['resident'])
  await v.wait(1)
  assert.equal(v.heard('visitor').at(-1), 'trying-again', 'told while the next telephone rings already')
  assert.equal(
    v.stage.dialled.map(({ contact }) => contact.name),
    ['Ana', 'Bruno'],
  )
  await v.join()
  v.stage.report('resident', { type: 'speech.started' })
  await v.wait(500)
  v.stage.report('resident', { type: 'speech.ended', ms: 500 })
  await v.wait(1001)
  assert.is(v.state(), 'reaching.answered.consulting')
  assert.equal(v.heard('resident').slice(0, 2), ['resident-greeting', 'visitor-at-gate'])
  await v.press('resident', '1')
  await v.wait(6000)
  assert.is(v.output()?.outcome, 'authorized')
  assert.is(v.stage.dialled.length, 2)
  assert.equal(
    v.actor.getSnapshot().context.ended.map(({ residentId, end }) => [residentId, end]),
    [
      ['ana', 'machine'],
      ['bruno', 'decided'],
    ],
  )
})

test('nobody but mailboxes and silence: the visit is unanswered', async (t) => {
  const v = visit(t, CHECKED)
  await ring(v)
  await v.join()
  v.stage.report('resident', { type: 'beep.heard' })
  await v.wait(3002)
  await v.join()
  await v.wait(30_001)
  while (v.child('contact')) {
    await v.wait(1000)
    if (v.stage.ringing().length > 0) v.stage.endRing('busy')
  }
  assert.equal(
    v.actor
      .getSnapshot()
      .context.ended.slice(0, 2)
      .map(({ end }) => end),
    ['machine', 'silent'],
  )
  await v.wait(6000)
  assert.is(v.output()?.outcome, 'unanswered')
})

test('a beep during the announcement ends the line, and the next is called', async (t) => {
  const v = visit(t, CHECKED)
  await ring(v)
  await v.join()
  await v.press('resident', '5')
  await v.wait(1000)
  assert.is(v.child('resident'), 'announcing')
  v.stage.report('resident', { type: 'beep.heard' })
  await v.wait(1)
  assert.equal(v.stage.hungUp, ['resident'])
  await v.wait(3001)
  assert.is(v.stage.dialled.at(-1)!.contact.name, 'Bruno')
  assert.is(v.output(), undefined)
})

test('a child who plays with the keys before the announcement decides nothing', async (t) => {
  const v = visit(t, CHECKED)
  await ring(v)
  await v.join()
  for (const key of '9123123') {
    await v.press('resident', key)
    await v.wait(500)
    assert.is(v.state(), 'reaching.answered.proving')
  }
  await v.wait(500)
  assert.is(v.state(), 'reaching.answered.consulting')
  assert.is(v.actor.getSnapshot().context.decision, null)
})

test("the tenant's rules for an answered line are read when the unit is matched", async (t) => {
  const answering = { answerCheck: 'key', leavesMessage: true, afterTalk: 'next' } as const
  const v = visit(t, { rules: { verdict: 'contact', attempts: PLAN, answering } })
  await ring(v)
  await v.join()
  assert.is(v.heard('resident').at(-1), 'press-any-key')
  v.stage.report('resident', { type: 'beep.heard' })
  await v.wait(1)
  assert.is(v.heard('resident').at(-1), 'mailbox-message')
})

test('together: the first answer cancels the others, and all of them ended mean the next step', async (t) => {
  const contacts = ['ana', 'bruno', 'carla'].map((name) => ({ residentId: name, name, number: name }))
  const v = visit(t, {
    attempts: [{ kind: 'together', contacts, ringMs: 30_000 }, attempt('operator', 20_000)],
  })
  await ring(v)
  const [ana, bruno, carla] = v.stage.ringing()
  assert.is(v.stage.ringing().length, 3)
  v.stage.endRing('busy', bruno)
  await v.wait(1)
  assert.equal(v.stage.ringing(), [ana, carla])
  v.send({ type: 'resident.joined', attemptId: carla! })
  await v.wait(1)
  assert.equal(v.stage.ringing(), [])
  await v.hangUp('resident')
  await v.wait(3001)
  assert.is(v.stage.dialled.at(-1)!.contact.residentId, 'operator')
  assert.equal(
    v.actor.getSnapshot().context.ended.map(({ residentId, end }) => [residentId, end]),
    [
      ['bruno', 'busy'],
      ['carla', 'left'],
    ],
  )
})

test('a visitor who waits hears how it stands every 20 s', async (t) => {
  const v = visit(t, { attempts: PLAN })
  await ring(v)
  await v.wait(20_000)
  assert.equal(v.heard('visitor').at(-1), 'still-calling')
  await v.join()
  await v.wait(21_000)
  assert.equal(v.heard('visitor').at(-1), 'still-asking')
})

test('the maximum does not cut a consultation that has just begun, but its end is near', async (t) => {
  const v = visit(t, { attempts: PLAN, settings: { callMaxMs: 40_000, afterTalk: 'next' } })
  await ring(v)
  await v.wait(20_000)
  await v.join()
  await v.press('resident', '3')
  await v.wait(25_000)
  assert.is(v.state(), 'reaching.answered.talking')
  await v.hangUp('resident')
  assert.is(v.child('concluding'), 'farewell', 'nobody else is called after the maximum')
  await v.wait(6000)
  assert.equal(v.output(), { ...v.output()!, outcome: 'expired', reason: 'too-long' })
})

test('nobody holds the line longer than the maximum and a minute', async (t) => {
  const v = visit(t, { attempts: PLAN, settings: { callMaxMs: 40_000 } })
  await ring(v)
  await v.wait(20_000)
  await v.join()
  await v.press('resident', '3')
  await v.wait(52_100)
  assert.is(v.child('concluding'), 'farewell')
  await v.wait(6000)
  assert.ok(v.output()!.durations.total < 90_000)
})

test('without an answer every attempt rings its time, with a prompt to the visitor between them', async (t) => {
  const v = visit(t)
  await ring(v)
  await v.wait(30_000)
  assert.is(v.child('contact'), 'pausing')
  assert.equal(v.heard('visitor').at(-1), 'trying-again')
  assert.is(v.stage.ringing().length, 0)
  await v.wait(3000)
  assert.is(v.child('contact'), 'calling.ringing')
  await v.wait(30_000)
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-unanswered')
  await v.wait(6000)
  assert.equal(v.output(), { ...v.output()!, outcome: 'unanswered', reason: 'no-answer' })
  assert.equal(
    v.stage.dialled.map(({ attemptId }) => attemptId.slice(-2)),
    ['-1', '-2'],
  )
})

test('several contacts are called in turn before the second round', async (t) => {
  const contacts = ['1101', '1102'].map((number) => ({ residentId: number, name: number, number }))
  const v = visit(t, { contacts })
  await ring(v)
  await v.wait(4 * 33_000)
  assert.equal(
    v.stage.dialled.map(({ contact }) => contact.number),
    ['1101', '1102', '1101', '1102'],
  )
})

test('a unit without a contact, or without a reachable one, is unreachable', async (t) => {
  const none = visit(t, { contacts: [] })
  await ring(none)
  await none.wait(6000)
  assert.equal(none.output(), { ...none.output()!, outcome: 'unreachable', reason: 'no-contact' })
})

test('an attempt that cannot be dialled is tried again, then unreachable', async (t) => {
  const v = visit(t, { dial: () => Promise.reject(new Error('refused')) })
  await ring(v)
  assert.is(v.child('contact'), 'pausing')
  await v.wait(3000 + 6000)
  assert.is(v.stage.dialled.length, 2)
  assert.equal(v.output()?.outcome, 'unreachable')
})

test('a dialer that has failed for good is not tried again', async (t) => {
  const hopeless = Object.assign(new Error('no broker'), { code: 'DIALER_FAILED' })
  const v = visit(t, { dial: () => Promise.reject(hopeless) })
  await ring(v)
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-unreachable')
  assert.is(v.stage.dialled.length, 1)
})

test('a dial that never answers is given up after the ring time', async (t) => {
  const v = visit(t, { dial: () => new Promise(() => {}), attempts: [attempt('call', 30_000)] })
  await ring(v)
  await v.wait(30_000 + 6000)
  assert.equal(v.output()?.outcome, 'unreachable')
})

test('the unit is asked in writing while the visitor hears that we wait, and the answer decides', async (t) => {
  const v = visit(t, { attempts: [{ kind: 'whatsapp', waitMs: 60_000 }] })
  await ring(v)
  assert.is(v.child('contact'), 'whatsapp')
  assert.equal(v.stage.asked.length, 1)
  assert.is(v.stage.asked[0]!.waitMs, 60_000)
  assert.ok(v.stage.isAwaiting())
  assert.equal([...v.stage.tones], ['visitor:hold'])
  assert.equal(v.heard('visitor').at(-1), 'message-sent')
  await v.wait(1000 + 20_000)
  assert.equal(v.heard('visitor').at(-1), 'message-waiting')
  v.send({ type: 'decision.given', verdict: 'authorized', by: 'resident', via: 'whatsapp' })
  await v.wait(1)
  assert.not.ok(v.stage.isAwaiting(), 'answers count no more')
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-authorized')
  await v.wait(6000)
  assert.equal(v.output()?.outcome, 'authorized')
  assert.is(v.output()?.decision?.via, 'whatsapp')
  assert.is(v.stage.dialled.length, 0)
})

test('nobody answers in writing: the next step begins, and an answer still counts until the search is over', async (t) => {
  const v = visit(t, { attempts: [{ kind: 'whatsapp', waitMs: 60_000 }, attempt('operator', 20_000)] })
  await ring(v)
  await v.wait(59_000)
  assert.is(v.child('contact'), 'whatsapp')
  await v.wait(1000)
  assert.is(v.child('contact'), 'pausing')
  assert.equal(v.heard('visitor').at(-1), 'calling-operator')
  await v.wait(3000)
  assert.is(v.child('contact'), 'calling.ringing')
  assert.equal([...v.stage.tones], ['visitor:ringback'])
  assert.ok(v.stage.isAwaiting())
  v.send({ type: 'decision.given', verdict: 'denied', by: 'resident', via: 'whatsapp' })
  await v.wait(1)
  assert.is(v.stage.ringing().length, 0, 'the operator is rung no more')
  await v.wait(6000)
  assert.equal(v.output()?.outcome, 'denied')
})

test('where nobody can be asked in writing the next step begins at once', async (t) => {
  const v = visit(t, {
    ask: () => Promise.reject(new Error('no account')),
    attempts: [{ kind: 'whatsapp', waitMs: 60_000 }, attempt('call', 30_000)],
  })
  await ring(v)
  assert.is(v.child('contact'), 'calling.ringing')
  assert.is(v.stage.dialled.length, 1)
  assert.not.ok(v.heard('visitor').includes('trying-again'), 'nothing had rung before')
})

test('a question without recipients is silent, but the telephones before it are announced', async (t) => {
  const v = visit(t, {
    ask: () => Promise.reject(new Error('no account')),
    attempts: [attempt('call', 30_000), { kind: 'whatsapp', waitMs: 60_000 }, attempt('operator', 20_000)],
  })
  await ring(v)
  await v.wait(30_000)
  assert.is(v.child('contact'), 'pausing')
  assert.equal(v.heard('visitor').at(-1), 'calling-operator')
  await v.wait(3000)
  assert.is(v.stage.dialled.at(-1)!.contact.residentId, 'operator')
})

test('an operator who rings first is not announced as a further attempt', async (t) => {
  const v = visit(t, {
    ask: () => Promise.reject(new Error('no account')),
    attempts: [{ kind: 'whatsapp', waitMs: 60_000 }, attempt('operator', 20_000)],
  })
  await ring(v)
  assert.is(v.stage.dialled.at(-1)!.contact.residentId, 'operator')
  assert.not.ok(v.heard('visitor').includes('calling-operator'))
})

test('a plan that only asks in writing ends unanswered when nobody answers', async (t) => {
  const attempts: ContactStep[] = [{ kind: 'whatsapp', waitMs: 60_000 }]
  const silent = visit(t, { attempts })
  await ring(silent)
  await silent.wait(60_000 + 7000)
  assert.equal(silent.output()?.outcome, 'unanswered')
})

test('a question that cannot be put within its time is given up', async (t) => {
  const v = visit(t, { ask: () => new Promise(() => {}), attempts: [{ kind: 'whatsapp', waitMs: 60_000 }] })
  await ring(v)
  assert.is(v.child('contact'), 'whatsapp')
  await v.wait(60_000 + 7000)
  assert.equal(v.output()?.outcome, 'unreachable')
})

test('a telephone that is answered while we wait for an answer in writing takes over', async (t) => {
  const v = visit(t, { attempts: [attempt('call', 30_000), { kind: 'whatsapp', waitMs: 60_000 }] })
  await ring(v)
  await v.wait(30_000)
  assert.is(v.child('contact'), 'whatsapp')
  await v.join()
  assert.is(v.state(), 'reaching.answered.consulting')
  assert.ok(v.stage.isAwaiting(), 'an answer in writing counts until the visit is decided')
})

test('the operator is called when nobody of the unit answers, and decides in their place', async (t) => {
  const v = visit(t, { attempts: [attempt('call', 30_000), attempt('operator', 20_000)] })
  await ring(v)
  await v.wait(30_000)
  assert.equal(v.heard('visitor').at(-1), 'calling-operator')
  await v.wait(3000)
  assert.is(v.stage.dialled.at(-1)!.contact.residentId, 'operator')
  await v.join()
  assert.ok(v.heard('visitor').includes('operator-answered'))
  await v.press('resident', '1')
  await v.wait(6000)
  assert.is(v.output()?.decision?.by, 'operator')
})

/** A visitor whose call was lost: the operator is called before anything is asked. */
const LOST: Scene = { operator: [attempt('operator', 20_000), attempt('operator', 20_000)] }

test('the visitor of a lost call is put through to the operator, who hears so and decides', async (t) => {
  const v = visit(t, LOST)
  await v.wait(2000)
  assert.equal(v.heard('visitor'), ['putting-through'])
  assert.equal(
    v.stage.dialled.map(({ contact, unit }) => [contact.residentId, unit]),
    [['operator', null]],
  )
  await v.join()
  await v.wait(5000)
  assert.equal(v.heard('resident'), ['resident-greeting', 'visitor-cut-off', 'menu'])
  await v.press('resident', '1')
  await v.wait(6000)
  assert.is(v.output()?.decision?.by, 'operator')
  assert.not.ok(v.heard('visitor').includes('greeting'), 'nobody is asked anew')
})

test('the visitor of a lost call whose operator does not answer may say whom they came for', async (t) => {
  const v = visit(t, LOST)
  await v.wait(30_000)
  assert.equal(v.heard('visitor'), ['putting-through', 'trying-again'])
  await v.wait(25_000)
  assert.is(v.child('visitor'), 'unit')
  assert.ok(v.heard('visitor').includes('greeting'))
  await ring(v)
  const ids = v.stage.dialled.map(({ attemptId }) => attemptId)
  assert.is(new Set(ids).size, 3, 'an id is used once')
  assert.is(v.stage.dialled.at(-1)!.contact.residentId, '1')
})

test('the visitor of a lost call who presses a star while the operator rings says whom they came for', async (t) => {
  const v = visit(t, LOST)
  await v.wait(3000)
  await v.press('visitor', '*')
  assert.is(v.child('visitor'), 'greeting')
  assert.equal(v.stage.ringing(), [])
})

test('an operator who does not decide about a lost call ends it undecided', async (t) => {
  const v = visit(t, { operator: [attempt('operator', 20_000)] })
  await v.wait(2000)
  await v.join()
  await v.wait(2000)
  await v.hangUp('resident')
  await v.wait(10_000)
  assert.is(v.output()?.outcome, 'undecided')
})

test('a visitor whom the rules block hears so, and no telephone rings', async (t) => {
  const v = visit(t, { rules: { verdict: 'blocked' } })
  await ring(v)
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-blocked')
  await v.wait(6000)
  assert.equal(v.output(), { ...v.output()!, outcome: 'blocked', reason: 'rule', decision: null })
  assert.equal(v.stage.dialled, [])
})

test('a rule check that fails calls nobody: the visitor may be blocked', async (t) => {
  const v = visit(t, { rules: new Error('the database is away') })
  await ring(v)
  assert.equal(v.stage.dialled, [])
  await v.wait(6000)
  assert.equal(v.output(), { ...v.output()!, outcome: 'unreachable', reason: 'fault' })
})

test('a goodbye that cannot be said still ends the call', async (t) => {
  const v = visit(t, { mute: true })
  await answer(v)
  await v.press('resident', '1')
  await v.wait(6000)
  assert.is(v.output()?.outcome, 'authorized')
  assert.equal(v.stage.hungUp, ['visitor', 'resident'])
})

test('a visitor whose leg is hung up by command did not leave', async (t) => {
  const v = visit(t)
  await ring(v)
  v.send({ type: 'leg.hangUp', role: 'visitor' })
  await v.wait(1)
  assert.equal(v.output(), { ...v.output()!, outcome: 'abandoned', reason: 'hung-up' })
})

for (const [moment, ms] of [
  ['the beep', 1500],
  ['the recording', 2500],
] as const) {
  test(`a star at ${moment} goes back to the unit`, async (t) => {
    const v = visit(t)
    await v.press('visitor', '101#')
    await v.wait(ms)
    await v.press('visitor', '*')
    assert.is(v.child('visitor', 'unit'), 'asking')
  })
}

test('noise that is taken for speech does not hold the visitor', async (t) => {
  const v = visit(t, { settings: { transcribes: true } })
  await v.wait(2001)
  for (let second = 0; second < 120; second++) {
    v.stage.report('visitor', { type: 'speech.started' })
    await v.wait(1000)
  }
  assert.ok(v.output() !== undefined || v.child('concluding') !== undefined, v.state())
})

test('a visit in a window that opens by itself is authorized by the rule', async (t) => {
  const v = visit(t, { rules: { verdict: 'authorized' } })
  await ring(v)
  await v.wait(6000)
  assert.is(v.output()?.outcome, 'authorized')
  assert.is(v.output()?.decision?.via, 'rule')
})

test('silence: asked twice, then let go', async (t) => {
  const v = visit(t)
  await v.wait(1000 + 1000 + 7000)
  assert.equal(v.heard('visitor').at(-1), 'ask-unit-again')
  await v.wait(1000 + 7000)
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-silent')
  await v.wait(6000)
  assert.equal(v.output(), { ...v.output()!, outcome: 'abandoned', reason: 'visitor-silent' })
})

test('an unknown unit is asked for again, a second one ends the call', async (t) => {
  const v = visit(t)
  await v.press('visitor', '999#')
  assert.equal(v.heard('visitor').slice(-2), ['unit-unknown', 'ask-unit'])
  await v.press('visitor', '998#')
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-unknown-unit')
  await v.wait(6000)
  assert.equal(v.output(), { ...v.output()!, outcome: 'unreachable', reason: 'unknown-unit' })
})

test('an unknown unit, then the right one, goes on', async (t) => {
  const v = visit(t)
  await v.press('visitor', '999#101#')
  assert.is(v.child('visitor'), 'identity')
})

test('# is not needed: the last digit is waited for', async (t) => {
  const v = visit(t)
  await v.press('visitor', '10')
  await v.wait(3500)
  await v.press('visitor', '1')
  await v.wait(3500)
  assert.is(v.child('visitor', 'unit'), 'collecting')
  await v.wait(600)
  assert.is(v.child('visitor'), 'identity')
})

test('a star corrects: while keying, and when the unit is read back', async (t) => {
  const v = visit(t)
  await v.press('visitor', '99*')
  assert.is(v.child('visitor', 'unit'), 'asking')
  await v.press('visitor', '101#')
  await v.wait(8000)
  assert.is(v.state(), 'reaching.searching.telling')
  assert.is(v.stage.ringing().length, 1)
  await v.press('visitor', '*')
  assert.is(v.child('visitor', 'unit'), 'asking')
  assert.equal(v.stage.ringing(), [], 'nobody is called for the wrong unit')
  await v.press('visitor', '101#')
  await v.wait(1)
  assert.is(v.stage.dialled.length, 2, 'name and purpose are not asked again')
  const [first, second] = v.stage.dialled
  assert.is.not(first!.attemptId, second!.attemptId)
})

test('no attempt has the id of another, however often the unit is corrected and a line is lost', async (t) => {
  const v = visit(t)
  await ring(v)
  for (let round = 0; round < 3; round++) {
    await v.join()
    v.stage.report('resident', { type: 'hungUp', how: 'lost' })
    await v.wait(1)
    await v.press('visitor', '*')
    await v.press('visitor', '101#')
    await v.wait(1)
  }
  const ids = v.stage.dialled.map(({ attemptId }) => attemptId)
  assert.is(ids.length, 7)
  assert.is(new Set(ids).size, ids.length, ids.join())
})

test('where ringing cannot be stopped, the visitor may correct the unit before anybody is called', async (t) => {
  const v = visit(t, { settings: { ringsEarly: false } })
  await v.press('visitor', '101#')
  await v.wait(8000)
  assert.is(v.state(), 'announcing')
  assert.equal(v.stage.dialled, [])
  await v.press('visitor', '*')
  assert.is(v.child('visitor', 'unit'), 'asking')
  await v.press('visitor', '101#')
  await v.wait(3001)
  assert.is(v.stage.dialled.length, 1)
})

test('the first telephone rings during its announcement to the visitor', async (t) => {
  const v = visit(t)
  await v.press('visitor', '101#')
  await v.wait(8000 + 1)
  assert.is(v.stage.dialled.length, 1)
  assert.equal(v.heard('visitor').slice(-3), ['calling-unit', { spell: '101' }, 'please-wait'])
  await v.join()
  assert.is(v.state(), 'reaching.answered.consulting')
})

test('somebody who does not speak is announced without a name', async (t) => {
  const v = visit(t, { speaks: () => false })
  await v.press('visitor', '101#')
  await v.wait(2 * (1000 + 1000 + 4000) + 3001)
  assert.match(v.state(), /^reaching\.searching/)
  await v.join()
  await v.wait(1)
  assert.equal(v.heard('resident').slice(0, 5), [
    'resident-greeting',
    'visitor-at-gate',
    { spell: '101' },
    'visitor-unnamed',
    'menu',
  ])
})

test('the visitor leaves while it rings: the ringing stops and nothing is left', async (t) => {
  const v = visit(t)
  await ring(v)
  assert.is(v.stage.ringing().length, 1)
  await v.hangUp('visitor')
  assert.is(v.stage.ringing().length, 0)
  assert.is(v.state(), 'ended')
  assert.equal(v.output(), { ...v.output()!, outcome: 'abandoned', reason: 'visitor-left' })
})

for (const [moment, until] of [
  ['greeting', async () => {}],
  ['keying', (v: Visit) => v.press('visitor', '1')],
  ['recording', (v: Visit) => v.press('visitor', '101#').then(() => v.wait(2500))],
] as const) {
  test(`the visitor leaves while ${moment}: the call ends at once`, async (t) => {
    const v = visit(t)
    await until(v)
    await v.hangUp('visitor')
    assert.is(v.state(), 'ended')
    assert.equal(v.output()?.outcome, 'abandoned')
  })
}

for (const [moment, keys] of [
  ['announcing', ''],
  ['talking', '3'],
] as const) {
  test(`the visitor leaves while the resident is ${moment}: the resident is told and released`, async (t) => {
    const v = visit(t)
    await answer(v)
    await v.press('resident', keys)
    await v.wait(1500)
    await v.hangUp('visitor')
    assert.equal(v.heard('resident').at(-1), 'farewell-resident-visitor-left')
    await v.wait(6000)
    assert.equal(v.stage.hungUp, ['resident'])
    assert.equal(v.output()?.outcome, 'abandoned')
  })

  test(`the only resident leaves while ${moment}: the visitor is told`, async (t) => {
    const v = visit(t, { attempts: [attempt('call', 30_000)] })
    await answer(v)
    await v.press('resident', keys)
    await v.wait(1500)
    await v.hangUp('resident')
    await v.wait(1)
    assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-undecided')
    await v.wait(6000)
    assert.is(v.output()?.outcome, 'undecided')
  })
}

test('both leave during the goodbye: the decision stands and the call ends at once', async (t) => {
  const v = visit(t)
  await answer(v)
  await v.press('resident', '1')
  await v.hangUp('resident')
  assert.is(v.child('concluding'), 'farewell')
  await v.hangUp('visitor')
  assert.is(v.state(), 'ended')
  assert.equal(v.output()?.outcome, 'authorized')
})

test('a leg that does not close after 0x00 is closed by us', async (t) => {
  const v = visit(t, { closes: (role) => role !== 'visitor' })
  await answer(v)
  await v.press('resident', '1')
  await v.wait(5010)
  assert.is(v.child('concluding'), 'hangingUp')
  await v.wait(1000)
  assert.equal(v.stage.released, ['visitor'])
  assert.is(v.state(), 'ended')
})

test('a call that lasts too long ends with a goodbye', async (t) => {
  const v = visit(t, { attempts: [attempt('call', 600_000)] })
  await ring(v)
  await v.wait(300_000)
  assert.equal(v.heard('visitor').at(-1), 'farewell-visitor-expired')
  assert.equal(v.output(), { ...v.output()!, outcome: 'expired', reason: 'too-long' })
})

test('the first decision stands', async (t) => {
  const v = visit(t)
  await answer(v)
  v.send({ type: 'decision.given', verdict: 'authorized', by: 'porter', via: 'api' })
  v.send({ type: 'decision.given', verdict: 'denied', by: 'porter', via: 'api' })
  await v.press('resident', '2')
  await v.wait(6000)
  assert.equal(v.output()?.decision, { ...v.output()!.decision!, verdict: 'authorized', via: 'api' })
})

test('a leg that is hung up by command: the resident leaves, the call goes on to its end', async (t) => {
  const v = visit(t, { attempts: [attempt('call', 30_000)] })
  await answer(v)
  v.send({ type: 'leg.hangUp', role: 'resident' })
  await v.wait(1)
  assert.equal(v.stage.hungUp, ['resident'])
  assert.is(v.child('concluding'), 'farewell')
  v.send({ type: 'leg.hangUp', role: 'resident' })
  await v.wait(6000)
  assert.equal(v.stage.hungUp, ['resident', 'visitor'])
})

test('a leg that comes without a search is rejected', async (t) => {
  const v = visit(t)
  await v.join()
  assert.is(v.state(), 'attending')
  await v.press('resident', '1')
  assert.is(v.output(), undefined)
  assert.equal(v.actor.getSnapshot().context.legs, ['visitor'])
})

test('a fault in a dialogue ends the call with a goodbye, not the process', async (t) => {
  const v = visit(t, { findUnit: () => Promise.reject(new Error('the directory is away')) })
  await v.press('visitor', '101#')
  assert.is(v.child('concluding'), 'farewell')
  await v.wait(6000)
  assert.equal(v.output(), { ...v.output()!, outcome: 'unreachable', reason: 'fault' })
})

const UNIT = { id: '1', number: '101', label: '101' }
const NOBODY_SAID = { unit: UNIT, identity: null, purpose: null, purposeSaid: false }
const UTTERANCE = { name: 'identity' as const, heard: true, ms: 4000 }

for (const bargesIn of [true, false]) {
  test(`speech ${bargesIn ? 'interrupts' : 'does not interrupt'} the question, as the tenant has it`, async (t) => {
    const v = visit(t, { settings: { transcribes: true, bargesIn }, visitorSays: [NOBODY_SAID] })
    await v.wait(1500)
    assert.is(v.child('visitor', 'unit'), 'asking')
    v.stage.report('visitor', { type: 'speech.started' })
    await v.wait(1)
    assert.is(v.child('visitor', 'unit'), bargesIn ? 'waiting' : 'asking')
    assert.is(v.child('visitor', 'unit', 'listening'), bargesIn ? 'hearing' : undefined)
  })
}

for (const bargesIn of [true, false]) {
  test(`speech ${bargesIn ? 'interrupts' : 'does not interrupt'} the greeting and the questions that are recorded`, async (t) => {
    const v = visit(t, { settings: { transcribes: true, bargesIn }, visitorSays: [NOBODY_SAID] })
    await v.wait(500)
    assert.is(v.child('visitor'), 'greeting')
    v.stage.report('visitor', { type: 'speech.started' })
    await v.wait(1)
    assert.equal(
      [v.child('visitor'), v.child('visitor', 'unit'), v.child('visitor', 'unit', 'listening')],
      bargesIn ? ['unit', 'waiting', 'hearing'] : ['greeting', undefined, undefined],
    )
    for (let ms = 0; ms < 10_000 && v.child('visitor', 'question') !== 'asking'; ms += 100) await v.wait(100)
    v.stage.report('visitor', { type: 'speech.started' })
    await v.wait(1)
    assert.is(v.child('visitor', 'question'), bargesIn ? 'recording' : 'asking')
  })
}

test('the greeting names the condominium', async (t) => {
  const v = visit(t, { welcome: 'Edifício Ipê Amarelo' })
  assert.equal(v.heard('visitor'), ['greeting', { speak: 'Edifício Ipê Amarelo' }])
})

test('one sentence that names unit, visitor and purpose goes straight to the resident', async (t) => {
  const v = visit(t, {
    settings: { transcribes: true },
    visitorSays: [{ unit: UNIT, identity: UTTERANCE, purpose: null, purposeSaid: true }],
  })
  await v.wait(2000)
  assert.is(v.child('visitor', 'unit', 'listening'), 'quiet')
  await v.wait(501)
  assert.is(v.child('visitor', 'unit', 'listening'), 'hearing')
  await v.wait(1501)
  assert.is(v.state(), 'reaching.searching.telling')
  await v.join()
  assert.equal(v.heard('resident').slice(3, 6), ['visitor-name', { recording: 'identity' }, 'menu'])
})

test('a sentence that names only the unit leaves name and purpose to be asked', async (t) => {
  const v = visit(t, { settings: { transcribes: true }, visitorSays: [NOBODY_SAID] })
  await v.wait(4001)
  assert.is(v.child('visitor'), 'identity')
})

test('a sentence without a unit is asked again, then keys still count', async (t) => {
  const v = visit(t, { settings: { transcribes: true }, visitorSays: [{ ...NOBODY_SAID, unit: null }] })
  await v.wait(4001)
  assert.equal(v.heard('visitor').at(-1), 'ask-unit-again')
  await v.press('visitor', '101#')
  assert.is(v.child('visitor'), 'identity')
})

test('speech that cannot be transcribed leaves the keys', async (t) => {
  const v = visit(t, { settings: { transcribes: true }, visitorSays: [new Error('away')] })
  await v.wait(4001)
  assert.is(v.child('visitor', 'unit', 'listening'), 'quiet')
  await v.press('visitor', '101#')
  assert.is(v.child('visitor'), 'identity')
})

for (const [says, outcome] of [
  ['yes', 'authorized'],
  ['no', 'denied'],
] as const) {
  test(`a resident who says ${says} has decided by voice`, async (t) => {
    const v = visit(t, { settings: { transcribes: true }, residentSays: [says] })
    await answer(v)
    await v.wait(8000 + 2001 + 6000)
    assert.is(v.output()?.outcome, outcome)
    assert.is(v.output()?.decision?.via, 'voice')
  })
}

test('the question who it is repeats the announcement; an unclear answer explains the keys', async (t) => {
  const v = visit(t, { settings: { transcribes: true }, residentSays: ['who', 'unclear'] })
  await answer(v)
  await v.wait(8000 + 2001)
  assert.is(v.child('resident'), 'announcing')
  await v.wait(8000 + 2001)
  assert.is(v.child('resident'), 'deciding.explaining')
})

test('a resident who wants to talk is connected', async (t) => {
  const v = visit(t, { settings: { transcribes: true }, residentSays: ['talk'] })
  await answer(v)
  await v.wait(8000 + 2001)
  assert.is(v.child('talk'), 'introducing')
})

test('a snapshot taken while it rings goes on after a restore, with the time that remained', async (t) => {
  const v = visit(t)
  await ring(v)
  await v.wait(20_000)
  const snapshot = JSON.parse(JSON.stringify(v.actor.getPersistedSnapshot()))
  v.actor.stop()
  const restored = v.stage.create(snapshot)
  restored.start()
  t.defer(() => restored.stop())
  await v.wait(9990)
  const contact = () =>
    (restored.getSnapshot().children['contact']!.getSnapshot() as { value: unknown }).value
  assert.equal(contact(), { calling: 'ringing' })
  await v.wait(20)
  assert.equal(contact(), 'pausing')
})

test.run()
