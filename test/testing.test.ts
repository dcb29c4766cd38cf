import * as assert from 'uvu/assert'
import { type AnyStateMachine, createActor, setup, transition } from 'xstate'
import {
  callMachine,
  contactMachine,
  legMachine,
  RESIDENT_KEYS,
  type Recording,
  type RecordingName,
  type Role,
  residentMachine,
  serviceMachine,
  type Unit,
  VISITOR_PATIENCE,
  visitorMachine,
} from '../machines/index.ts'
import { coverage, createStage, type Path, paths, readPrompts, SCENE_SETTINGS } from '../src/testing.ts'
import { simulateTime } from './clock.ts'
import { suite } from './rig.ts'

const test = suite('testing')

const UNIT: Unit = { id: '1', number: '101', label: '101' }
const NOBODY = { unit: null, identity: null, purpose: null }
const ROLES = ['visitor', 'resident'] as const

const press = (keys: string) => [...keys].map((key) => ({ type: 'key.pressed' as const, key }))
const recorded = (name: RecordingName): Recording[] =>
  [true, false].map((heard) => ({ name, heard, ms: heard ? 1500 : 0 }))
const contacts = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ residentId: `${at}`, name: 'Ana', number: `110${at}` }))

const walkVisitor = (each: 'state' | 'transition' | 'situation') =>
  paths(visitorMachine, {
    each,
    input: { callId: 'c' },
    events: press('1*#'),
    outputs: {
      findUnit: [UNIT, null],
      recordName: recorded('identity'),
      recordPurpose: recorded('purpose'),
    },
    tellApart: ({ asked, missed, gaveUp, ...said }) => [
      Math.min(asked, VISITOR_PATIENCE.asks),
      missed,
      gaveUp,
      ...[said.unit, said.identity, said.purpose].map((it) => it !== null),
    ],
  })

const walkContact = (each: 'transition' | 'situation') =>
  [0, 1, 2].flatMap((count) =>
    paths(contactMachine, {
      each,
      input: { callId: 'c', unit: UNIT, contacts: contacts(count), settings: SCENE_SETTINGS },
    }),
  )

const walkResident = (each: 'transition' | 'situation') =>
  paths(residentMachine, {
    each,
    input: { callId: 'c', ...NOBODY },
    events: press('12349'),
    tellApart: ({ answer, asked }) => [answer, asked],
  })

const walkLeg = (each: 'transition' | 'situation') =>
  paths(legMachine, {
    each,
    input: { callId: 'c', role: 'visitor', graceMs: 1000 },
    events: [
      ...press('1'),
      { type: 'saying' },
      { type: 'said' },
      { type: 'hungUp', how: 'fin' },
      { type: 'leg.hangUp' },
    ],
  })

const walkService = (each: 'transition' | 'situation') =>
  paths(serviceMachine, {
    each,
    input: { drainMs: 1000 },
    events: [{ type: 'service.drain' }, { type: 'service.stop' }],
  })

const fromLeg = (role: Role) => [
  ...[RESIDENT_KEYS.authorize, RESIDENT_KEYS.deny, '9'].map((key) => ({
    type: `${role}.key.pressed` as const,
    key,
  })),
  { type: `${role}.hungUp` as const, how: 'fin' as const },
  { type: `${role}.forced` as const },
  { type: 'leg.hangUp' as const, role },
]

const walkCall = (each: 'transition' | 'situation') =>
  paths(callMachine, {
    each,
    input: { callId: 'c', startedAt: 0, settings: SCENE_SETTINGS },
    events: [
      ...ROLES.flatMap(fromLeg),
      { type: 'resident.joined' },
      { type: 'decision.given', verdict: 'denied', by: 'porter', via: 'api' },
      { type: 'call.end', reason: 'closing' },
    ],
    outputs: {
      visitor: [
        { ...NOBODY, unit: UNIT, gaveUp: null },
        { ...NOBODY, gaveUp: 'silent' },
        { ...NOBODY, gaveUp: 'unknown-unit' },
      ],
      match: [[], contacts(1)],
      contact: [{ missed: 'unanswered' }, { missed: 'unreachable' }],
      resident: ['authorized', 'denied', 'talk', 'undecided'].map((answer) => ({ answer })),
      introduce: [{ beganAt: 0 }],
      sayGoodbye: [{ beganAt: 0 }],
    },
    tellApart: ({ legs, ending, decision }) => [
      ROLES.filter((role) => legs.includes(role)),
      ending,
      decision && [decision.verdict, decision.via],
    ],
  })

/** The names of what no path visits. */
function missed<Machine extends AnyStateMachine>(
  machine: Machine,
  walked: Iterable<Path<Machine>>,
): readonly string[] {
  const seen = coverage(machine)
  seen.walk(walked)
  const { states, transitions } = seen.report()
  return [...states.missed, ...transitions.missed]
}

test('every state of every machine is reached, and every transition is taken', () => {
  assert.equal(missed(visitorMachine, walkVisitor('transition')), [])
  assert.equal(missed(contactMachine, walkContact('transition')), [])
  assert.equal(missed(residentMachine, walkResident('transition')), [])
  assert.equal(missed(legMachine, walkLeg('transition')), [])
  assert.equal(missed(serviceMachine, walkService('transition')), [])
  assert.equal(missed(callMachine, walkCall('transition')), [])
})

test('no machine comes to a standstill: either it is done or something can still happen', () => {
  const situations = [
    ...walkVisitor('situation'),
    ...walkContact('situation'),
    ...walkResident('situation'),
    ...walkLeg('situation'),
    ...walkService('situation'),
    ...walkCall('situation'),
  ]
  const stuck = situations.filter(({ state, next }) => state.status !== 'done' && next.length === 0)
  assert.equal(
    stuck.map(({ title }) => title),
    [],
  )
  assert.equal([...new Set(situations.map(({ state }) => state.status))].sort(), ['active', 'done'])
})

test('a visitor who did not give up has a unit', () => {
  const ends = walkVisitor('situation').filter(({ state }) => state.status === 'done')
  assert.ok(ends.length > 3)
  for (const { state, title } of ends) {
    const { unit, gaveUp } = state.output!
    assert.is(state.value, gaveUp === null ? 'ready' : 'gaveUp', title)
    // who corrected the unit and then fell silent still has the first one
    if (gaveUp === null) assert.ok(unit !== null, title)
  }
})

test('nobody comes on the line: unreachable only where it never rang', () => {
  const ends = walkContact('situation').filter(({ state }) => state.status === 'done')
  assert.ok(ends.length > 3)
  for (const { state, steps, title } of ends) {
    const rang = steps.some(({ event }) => (event.type as string) === 'xstate.done.actor.dial')
    assert.is(state.output!.missed, rang ? 'unanswered' : 'unreachable', title)
  }
})

test('a resident who is done pressed a deciding key last, or nothing that decides', () => {
  const ends = walkResident('situation').filter(({ state }) => state.status === 'done')
  const answers = new Map<unknown, string>([
    [RESIDENT_KEYS.authorize, 'authorized'],
    [RESIDENT_KEYS.deny, 'denied'],
    [RESIDENT_KEYS.talk, 'talk'],
  ])
  assert.equal(
    [...new Set(ends.map(({ state }) => state.output!.answer))].sort(),
    [...answers.values(), 'undecided'].sort(),
  )
  for (const { state, steps, title } of ends) {
    const { event } = steps.at(-1)!
    const key = 'key' in event ? event.key : undefined
    assert.is(state.output!.answer, answers.get(key) ?? 'undecided', title)
  }
})

test('a leg and a service that are done have one end each', () => {
  for (const [walked, end] of [
    [walkLeg('situation'), 'gone'],
    [walkService('situation'), 'stopped'],
  ] as const) {
    const ends = walked.filter(({ state }) => state.status === 'done').map(({ state }) => state.value)
    assert.ok(ends.length > 0)
    assert.ok(ends.every((value) => value === end))
  }
})

test('a call ends only when both legs are gone, with an outcome, and a verdict only by a decision', () => {
  const ends = walkCall('situation').filter(({ state }) => state.status === 'done')
  assert.ok(ends.length > 5)
  for (const { state, title } of ends) {
    const { outcome, reason, decision } = state.output!
    assert.is(state.value, 'ended', title)
    assert.equal(state.context.legs, [], title)
    assert.is(decision !== null, outcome === 'authorized' || outcome === 'denied', title)
    assert.is(reason === null, decision !== null, title)
    if (decision !== null) assert.is(decision.verdict, outcome, title)
  }
})

test('in any situation, a call whose legs leave is ended at once', () => {
  for (const { state, title } of walkCall('situation')) {
    let snapshot = state
    for (const role of ROLES) {
      if (snapshot.status !== 'active') break
      ;[snapshot] = transition(callMachine, snapshot, { type: `${role}.hungUp`, how: 'fin' })
    }
    assert.is(snapshot.value, 'ended', title)
  }
})

test('a whole call on the stage counts for each of its machines', async (t) => {
  const clock = simulateTime(t)
  const stage = createStage()
  const actor = stage.create()
  const call = coverage(callMachine)
  const visitor = coverage(visitorMachine)
  actor.system.inspect(call.inspect)
  actor.system.inspect(visitor.inspect)
  actor.start()
  t.defer(() => actor.stop())
  for (const key of '101#') {
    stage.report('visitor', { type: 'key.pressed', key })
    await clock.tickAsync(1)
  }
  await clock.tickAsync(12_000)
  assert.is(actor.getSnapshot().value, 'contacting')
  stage.report('visitor', { type: 'hungUp', how: 'fin' })
  await clock.tickAsync(1)

  const { states } = visitor.report()
  assert.is(states.visits['visitor.greeting'], 1)
  assert.is(states.visits['visitor.ready'], 1)
  assert.equal(states.missed, ['visitor.unit.asking', 'visitor.unit.waiting', 'visitor.gaveUp'])
  const { transitions } = visitor.report()
  assert.is(transitions.visits['visitor.unit.collecting: key.pressed [isDigit] → visitor.unit.collecting'], 2)
  assert.ok(transitions.missed.includes('visitor.unit.waiting: silence over [askedEnough] → visitor.gaveUp'))
  const seen = call.report().states
  assert.is(seen.visits['call.ended'], 1)
  assert.ok(seen.missed.includes('call.talking.bridged'))
})

test('what no path visits is named', () => {
  const machine = setup({
    types: { events: {} as { type: 'on' } | { type: 'break' } },
    guards: { never: () => false },
  }).createMachine({
    id: 'lamp',
    initial: 'dark',
    states: {
      dark: { on: { on: [{ guard: 'never', target: 'lit' }, { target: 'dim' }] } },
      dim: { on: { break: 'broken' } },
      lit: {},
      broken: { type: 'final' },
    },
  })
  const all = paths(machine, { events: [{ type: 'on' }, { type: 'break' }] })
  assert.equal(
    all.map(({ title, state, next }) => [title, state.value, next.map(({ type }) => type)]),
    [
      ['the beginning', 'dark', ['on']],
      ['on', 'dim', ['break']],
      ['on → break', 'broken', []],
    ],
  )
  assert.equal(missed(machine, all), ['lamp.lit', 'lamp.dark: on [never] → lamp.lit'])

  const seen = coverage(machine)
  const actor = createActor(machine, { inspect: seen.inspect }).start()
  assert.equal(seen.report().states.visits, {
    'lamp.dark': 1,
    'lamp.dim': 0,
    'lamp.lit': 0,
    'lamp.broken': 0,
  })
  actor.send({ type: 'on' })
  assert.is(seen.report().states.visits['lamp.dim'], 1)
  assert.ok(seen.report().transitions.missed.includes('lamp.dim: break → lamp.broken'))
})

test('counting without end is told, not waited for', () => {
  assert.throws(
    () => paths(visitorMachine, { input: { callId: 'c' }, events: press('*'), limit: 500 }),
    /limit exceeded/,
  )
})

test('the prompts that come with the package tell a phone what it hears', async () => {
  const prompts = await readPrompts('en')
  assert.is(prompts.locale, 'en')
  assert.ok(prompts.ms('greeting') > 0)
})

test.run()
