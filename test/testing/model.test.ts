import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { type AnyStateMachine, assign, setup } from 'xstate'
import { createTestModel, getShortestPaths } from 'xstate/graph'
import {
  attemptMachine,
  contactMachine,
  MACHINES,
  port,
  residentMachine,
  serviceMachine,
} from '../../machines/index.ts'
import {
  done,
  type Fixture,
  failed,
  fixtures,
  forGraph,
  model,
  PathError,
  stage,
} from '../../src/testing/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('model')

const lamp = setup({
  types: {
    input: {} as { strength: number },
    context: {} as { strength: number; lit: number },
    events: {} as { type: 'press'; long: boolean } | { type: 'break' },
  },
  actors: { warm: port<'warm' | 'hot', number>('warm') },
  guards: { isLong: (_, long: boolean) => long },
}).createMachine({
  id: 'lamp',
  context: ({ input }) => ({ strength: input.strength, lit: 0 }),
  initial: 'dark',
  on: { break: '.broken' },
  states: {
    dark: {
      on: {
        press: {
          guard: { type: 'isLong', params: ({ event }) => event.long },
          target: 'warming',
        },
      },
    },
    warming: {
      invoke: {
        src: 'warm',
        id: 'warm',
        input: ({ context }) => context.strength,
        onDone: { target: 'lit', actions: assign({ lit: ({ context }) => context.lit + 1 }) },
        onError: 'broken',
      },
    },
    lit: { on: { press: 'dark' } },
    broken: { type: 'final' },
  },
})

const LAMP: Fixture<typeof lamp> = {
  inputs: { 'a lamp': { strength: 5 } },
  events: {
    press: { 'it is pressed for long': { long: true }, 'it is pressed': { long: false } },
    break: { 'it falls': {} },
  },
  outcomes: {
    warm: { 'it is warm': done('warm'), 'it burns through': failed(new Error('burnt')) },
  },
  tellApart: () => null,
}

test('every machine has a fixture, and every situation of it can be reached', () => {
  assert.equal(MACHINES.map(({ id }) => id).sort(), Object.keys(fixtures).sort())
})

test('a fixture that lacks an event, a port or an outcome of a kind does not compile', () => {
  const { break: _break, ...events } = LAMP.events
  // @ts-expect-error an event without a variant
  const noEvent: Fixture<typeof lamp> = { ...LAMP, events }
  // @ts-expect-error a port without an outcome
  const noPort: Fixture<typeof lamp> = { ...LAMP, outcomes: {} }
  // @ts-expect-error an output that the port cannot have
  const noSuch: Fixture<typeof lamp> = { ...LAMP, outcomes: { warm: { 'it is cold': done('cold') } } }
  // @ts-expect-error an event without its facts
  const noFacts: Fixture<typeof lamp> = { ...LAMP, events: { ...LAMP.events, press: { pressed: {} } } }
  assert.is([noEvent, noPort, noSuch, noFacts].length, 4)
})

test('paths have a sentence as their title, are the same each time, and are no beginnings of others', () => {
  const titles = () =>
    model(lamp, LAMP)
      .paths({ each: 'transition' })
      .map(({ title }) => title)
  assert.equal(titles(), [
    'Given a lamp: when it falls, it is broken',
    'Given a lamp: when it is pressed for long, then it burns through, it is broken',
    'Given a lamp: when it is pressed for long, then it is warm, then it is pressed for long, it is dark',
  ])
  assert.equal(titles(), titles())
  assert.equal(
    model(lamp, LAMP)
      .paths()
      .map(({ end }) => end.value),
    ['dark', 'warming', 'broken', 'lit'],
  )
  assert.ok(
    model(lamp, LAMP)
      .paths({ each: 'pair' })
      .some(({ steps }) => steps.map(({ clause }) => clause).join() === 'it is pressed for long,it falls'),
  )
})

test('what no path reaches is named', () => {
  const { unreached } = model(lamp, { ...LAMP, events: { ...LAMP.events, break: {} } })
  assert.equal(unreached, ['lamp: break → lamp.broken'])
})

test('a machine that behaves otherwise is found at the step, and told by what differs', async () => {
  const [, , third] = model(lamp, LAMP).paths({ each: 'transition' })
  await third!.play(stage())
  const brighter = lamp.provide({ guards: { isLong: () => true } })
  await third!.play(stage({ machine: brighter }))
  const never = lamp.provide({ guards: { isLong: () => false } })
  const error = await third!.play(stage({ machine: never })).catch((error) => error)
  assert.instance(error, PathError)
  assert.equal(error.steps, ['it is pressed for long'])
  assert.equal(error.actual, { value: 'dark', waiting: {}, began: [] })
  assert.equal(error.expected, { value: 'warming', waiting: { warm: 5 }, began: ['warm'] })
})

test('what must always hold is checked while exploring, and while a variant is played', async () => {
  const always = { 'it is lit once at most': ({ context }: { context: { lit: number } }) => context.lit < 2 }
  const twice: Fixture<typeof lamp> = { ...LAMP, tellApart: ({ lit }) => Math.min(lit, 3) }
  assert.throws(
    () => model(lamp, twice, { always }),
    (error: PathError) =>
      error.message.includes('"it is lit once at most" does not hold') && error.steps.length === 5,
  )
  assert.ok(model(lamp, LAMP, { always }).size > 3)
})

test('too many situations are cut off at the limit, the nearest first', () => {
  const counter = setup({
    types: { context: {} as { count: number }, events: {} as { type: 'more' } },
  }).createMachine({
    id: 'counter',
    context: { count: 0 },
    on: { more: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
  })
  const counting: Fixture<typeof counter> = {
    inputs: { 'a counter': undefined as never },
    events: { more: { more: {} } },
    outcomes: {},
    tellApart: ({ count }) => count,
  }
  const cut = model(counter, counting, { limit: 10 })
  assert.is(cut.isComplete, false)
  assert.is(cut.size, 10)
  assert.is(model(counter, { ...counting, tellApart: () => 0 }).isComplete, true)
})

test('deadlines in order: the earlier is over before the later', () => {
  const hasEarly = (deadlines: 'in-order' | 'any-order') =>
    model(serviceMachine, undefined, { deadlines, limit: 100 })
      .paths({ each: 'pair' })
      .some(({ steps }) => steps.some(({ clause }) => clause === 'the time of close deadline is over'))
  assert.ok(hasEarly('in-order'))

  const attempt = model(contactMachine, undefined, {
    deadlines: 'in-order',
    children: ['attempt'],
    limit: 400,
  })
  const times = attempt.paths({ each: 'transition' }).flatMap(({ steps }) => steps.map(({ time }) => time))
  assert.ok(Math.max(...times) >= 30_000)
  for (const { steps } of attempt.paths())
    assert.equal(
      steps.map(({ time }) => time),
      steps.map(({ time }) => time).sort((one, other) => one - other),
    )
})

test('children are explored with their machine where that is asked for', async () => {
  const alone = model(contactMachine, undefined, { limit: 50 })
  assert.ok(alone.paths().every(({ end }) => Object.keys(end.children).length === 0))
  const explored = model(contactMachine, undefined, { children: ['attempt', 'asking'], limit: 300 })
  const walked = explored.paths({ each: 'transition' })
  assert.ok(walked.some(({ end }) => 'asking' in end.children))
  for (const path of walked) await path.play(stage())
})

test('walks are chosen by numbers, for fast-check', async () => {
  const { walk } = model(attemptMachine)
  assert.is(walk([]).steps.length, 0)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 10 }), async (choices) => {
      const path = walk(choices)
      assert.ok(path.steps.length < Math.max(choices.length, 1))
      await path.play(stage())
    }),
    { numRuns: 20 },
  )
})

test('xstate/graph takes every machine, as its documentation teaches it', () => {
  for (const one of MACHINES as AnyStateMachine[]) {
    const { machine, options } = forGraph(one)
    const shortest = getShortestPaths(machine, options as never)
    assert.ok(shortest.length > 1, one.id)
    // they are the same paths again, but for those that are parts of others
    if (one.id === 'call' || one.id === 'contact') createTestModel(machine, options as never)
    else assert.ok(createTestModel(machine, options as never).getShortestPaths().length > 0, one.id)
  }
})

test('a test of xstate/graph runs against an implementation', async () => {
  const { machine, options } = forGraph(residentMachine)
  const seen = new Set<string>()
  for (const path of createTestModel(machine, options).getShortestPaths())
    await path.test({
      states: { decided: ({ output }) => void seen.add(output!.answer) },
      events: {},
    })
  assert.ok(seen.has('authorized') && seen.has('denied'))
})

test.run()
