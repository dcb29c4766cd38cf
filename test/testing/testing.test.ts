import * as assert from 'uvu/assert'
import { type AnyStateMachine, assign, createActor, SimulatedClock, setup, transition } from 'xstate'
import {
  callMachine,
  contactMachine,
  deliveryMachine,
  legMachine,
  MACHINES,
  provingMachine,
  RESIDENT_KEYS,
  type Role,
  residentMachine,
  serviceMachine,
  unitMachine,
  visitorMachine,
} from '../../machines/index.ts'
import { coverage, createStage, type Path, paths, readPrompts } from '../../src/testing/index.ts'
import { simulateTime } from '../rig/clock.ts'
import { suite } from '../rig/rig.ts'

const test = suite('testing')

const ROLES = ['visitor', 'resident'] as const

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
  for (const machine of MACHINES) assert.equal(missed(machine, paths(machine, { each: 'transition' })), [])
})

test('no machine comes to a standstill: either it is done or something can still happen', () => {
  // what a child waits for, such as the answers in writing, may be all that is left to happen
  const situations = MACHINES.flatMap((machine: AnyStateMachine) => paths(machine, { each: 'situation' }))
  const stuck = situations.filter(({ state, next }) => state.status !== 'done' && next.length === 0)
  assert.equal(
    stuck.map(({ title }) => title),
    [],
  )
  assert.equal([...new Set(situations.map(({ state }) => state.status))].sort(), ['active', 'done'])
})

test('a visitor who did not give up has a unit', () => {
  const ends = paths(visitorMachine, { each: 'situation' }).filter(({ state }) => state.status === 'done')
  assert.ok(ends.length > 3)
  for (const { state, title } of ends) {
    const { unit, gaveUp } = state.output!
    assert.is(state.value, gaveUp === null ? 'ready' : 'gaveUp', title)
    // who corrected the unit and then fell silent still has the first one
    if (gaveUp === null) assert.ok(unit !== null, title)
  }
})

test('nobody decides: undecided where somebody was on the line, unreachable only where nothing rang', () => {
  const ends = paths(contactMachine, { each: 'situation' }).filter(({ state }) => state.status === 'done')
  assert.ok(ends.length > 3)
  for (const { state, steps, title } of ends) {
    let [answered, rang] = [false, false]
    for (const [at, { event }] of steps.entries()) {
      const { type, output, how } = event as { type: string; output?: { asked?: boolean }; how?: string }
      const before = steps[at - 1]?.state
      const byPerson = how !== 'lost' && how !== 'machine' && how !== 'silent'
      if (type === 'line.ended' && byPerson && before?.matches('answered')) answered = true
      if (type === 'attempt.ringing' && before?.matches({ calling: 'dialing' })) rang = true
      if (output?.asked) rang = true
    }
    assert.is(state.output!.missed, answered ? 'undecided' : rang ? 'unanswered' : 'unreachable', title)
  }
})

test('no search ends while an attempt of the plan remains, unless the dialer is hopeless', () => {
  for (const { state, title } of paths(contactMachine, { each: 'situation' }).filter(
    ({ state }) => state.status === 'done',
  )) {
    const { attempts, begun, hopeless } = state.context
    const left = attempts.slice(begun).filter(({ kind }) => kind === 'whatsapp' || !hopeless)
    assert.equal(left, [], title)
  }
})

test('a resident who is done decided last by a key or a word that decides, or by neither', () => {
  const ends = paths(residentMachine, { each: 'situation' }).filter(({ state }) => state.status === 'done')
  const answers = new Map<unknown, string>([
    [RESIDENT_KEYS.authorize, 'authorized by key'],
    [RESIDENT_KEYS.deny, 'denied by key'],
    [RESIDENT_KEYS.talk, 'talk by key'],
    ['yes', 'authorized by voice'],
    ['no', 'denied by voice'],
    ['talk', 'talk by voice'],
    ['machine', 'machine by voice'],
  ])
  const seen = new Set<string>()
  for (const { state, steps, title } of ends) {
    const { key, output } = steps.at(-1)!.event as { key?: string; output?: { understood: string | null } }
    const { answer, via } = state.output!
    const told = answer === 'undecided' ? answer : `${answer} by ${via}`
    assert.is(told, answers.get(key ?? output?.understood) ?? 'undecided', title)
    seen.add(told)
  }
  assert.equal([...seen].sort(), [...answers.values(), 'undecided'].sort())
})

test('a person is proven by a key, a greeting in words or silence after a hello, and never by a machine', () => {
  const ends = paths(provingMachine, { each: 'situation' }).filter(({ state }) => state.status === 'done')
  const seen = new Set<string>()
  for (const { input, state, steps, title } of ends) {
    const { answeredBy } = state.output!
    const { check } = input as { check: string }
    const { type, output } = steps.at(-1)!.event as { type: string; output?: string }
    seen.add(answeredBy)
    if (answeredBy !== 'person') continue
    if (check === 'off') assert.is(type, 'xstate.init', title)
    else if (check === 'key') assert.is(type, 'xstate.done.actor.keyDeadline', title)
    else if (type.endsWith('listenToGreeting')) assert.is(output, 'person', title)
    else assert.ok(type === 'xstate.done.actor.keyDeadline' || type === 'xstate.done.actor.greet', title)
  }
  assert.equal([...seen].sort(), ['machine', 'nobody', 'person'])
})

test('a message is tried as often as it may be and no more, and one whose time passed never leaves', () => {
  const walked = paths(deliveryMachine, { each: 'situation' })
  assert.ok(walked.length > 20)
  for (const { state, title } of walked) {
    const { tries, maxRetries } = state.context
    assert.ok(tries >= 0 && tries <= maxRetries + 1, title)
    if (state.value === 'retrying') assert.ok(tries <= maxRetries, title)
    assert.is(state.status === 'done', state.value === 'expired', title)
  }
})

test('a leg and a service that are done have one end each', () => {
  for (const [walked, end] of [
    [paths(legMachine, { each: 'situation' }), 'gone'],
    [paths(serviceMachine, { each: 'situation' }), 'stopped'],
  ] as const) {
    const ends = walked.filter(({ state }) => state.status === 'done').map(({ state }) => state.value)
    assert.ok(ends.length > 0)
    assert.ok(ends.every((value) => value === end))
  }
})

test('a call ends only when both legs are gone, with an outcome, and a verdict only by a decision', () => {
  const ends = paths(callMachine, { each: 'situation' }).filter(({ state }) => state.status === 'done')
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
  for (const { state, title } of paths(callMachine, { each: 'situation' })) {
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
  const unit = coverage(unitMachine)
  for (const seen of [call, visitor, unit]) actor.system.inspect(seen.inspect)
  actor.start()
  t.defer(() => actor.stop())
  for (const key of '101#') {
    stage.report('visitor', { type: 'key.pressed', key })
    await clock.tickAsync(1)
  }
  await clock.tickAsync(12_000)
  assert.ok(actor.getSnapshot().matches({ reaching: 'searching' }))
  stage.report('visitor', { type: 'hungUp', how: 'fin' })
  await clock.tickAsync(1)

  const { states } = visitor.report()
  assert.is(states.visits['visitor.greeting'], 1)
  assert.is(states.visits['visitor.ready'], 1)
  assert.ok(states.missed.includes('visitor.gaveUp'))
  const { transitions } = unit.report()
  assert.is(transitions.visits['unit.collecting: key.pressed [isDigit] → unit.collecting'], 2)
  assert.ok(transitions.missed.includes('unit.checking: findUnit over [missedEnough] → unit.gaveUp'))
  const seen = call.report().states
  assert.is(seen.visits['call.ended'], 1)
  assert.ok(seen.missed.includes('call.reaching.answered.talking'))
})

test('a whole call passes on a clock of its own, to the millisecond, while Date stands still', async (t) => {
  simulateTime(t)
  const clock = new SimulatedClock()
  const stage = createStage({ clock })
  const actor = stage.create().start()
  t.defer(() => actor.stop())
  const press = async (role: Role, keys: string) => {
    for (const key of keys) {
      stage.report(role, { type: 'key.pressed', key })
      await stage.pass(1)
    }
  }
  await press('visitor', '101#')
  // a question, a beep and 2 s of words each for name and purpose, then the first telephone rings for 30 s
  await stage.pass(8000 - 1)
  assert.is(stage.ringing().length, 1)
  assert.is(clock.now(), 8003)
  await stage.pass(29_999)
  assert.is(stage.ringing().length, 1)
  await stage.pass(1)
  assert.equal(stage.ringing(), [])
  await stage.pass(3000)
  assert.is(stage.dialled.length, 2)
  actor.send({ type: 'resident.joined' })
  await stage.pass(12_000)
  await press('resident', '1')
  await stage.pass(60_000)
  const { decision, durations } = actor.getSnapshot().output!
  assert.is(decision?.at, 53_003)
  // the goodbyes begin at the decision, and 5 s later both are hung up
  assert.equal(durations, { total: 58_003, toAnswer: 41_003, toDecision: 53_003 })
})

test('a clock of its own can also be moved by hand, in steps that promises are awaited between', async (t) => {
  const clock = new SimulatedClock()
  const stage = createStage({ clock })
  const actor = stage.create().start()
  t.defer(() => actor.stop())
  for (let step = 0; step < 60 && !actor.getSnapshot().output; step++) {
    clock.increment(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  // greeting, question and 7 s of silence, question and 7 s again, goodbye, 5 s
  assert.equal(actor.getSnapshot().output?.reason, 'visitor-silent')
  assert.is(actor.getSnapshot().output?.durations.total, 22_000)
})

test('without a clock of its own a stage passes the time of the machine', async (t) => {
  const time = simulateTime(t)
  const stage = createStage()
  const actor = stage.create().start()
  t.defer(() => actor.stop())
  let passed = false
  const passing = stage.pass(9000).then(() => {
    passed = true
  })
  await time.tickAsync(8999)
  assert.is(passed, false)
  await time.tickAsync(1)
  await passing
  assert.equal(stage.lines.at(-1)?.pieces, ['ask-unit-again'])
})

test('unvisited states and transitions are named', () => {
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

test('endless counting is reported, not waited for', () => {
  const machine = setup({
    types: { events: {} as { type: 'more' }, context: {} as { count: number } },
  }).createMachine({
    id: 'counter',
    context: { count: 0 },
    on: { more: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
  })
  assert.throws(() => paths(machine, { events: [{ type: 'more' }], limit: 500 }), /limit exceeded/)
  const bounded = paths(machine, {
    events: [{ type: 'more' }],
    each: 'situation',
    tellApart: ({ count }) => Math.min(count, 3),
  })
  assert.equal(
    bounded.map(({ state }) => state.context.count),
    [0, 1, 2, 3],
  )
})

test("with the package's prompts a phone recognises what it hears", async () => {
  const prompts = await readPrompts('en')
  assert.is(prompts.locale, 'en')
  assert.ok(prompts.ms('greeting') > 0)
})

test.run()
