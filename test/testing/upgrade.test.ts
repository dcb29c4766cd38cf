import * as assert from 'uvu/assert'
import type { AnyStateMachine, Snapshot } from 'xstate'
import { assign, setup } from 'xstate'
import { MACHINES } from '../../machines/index.ts'
import { type Fixture, model, upgrade } from '../../src/testing/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('upgrade')

const types = { context: {} as { names: string[] }, events: {} as { type: 'name'; name: string } }

/** A list as it was: `waiting` is called `idle` today, and the names were one. */
const old = setup({
  types: { context: {} as { name: string }, events: {} as { type: 'name'; name: string } },
}).createMachine({
  id: 'list',
  context: { name: '' },
  initial: 'waiting',
  states: {
    waiting: { on: { name: { target: 'named', actions: assign({ name: ({ event }) => event.name }) } } },
    named: { on: { name: { actions: assign({ name: ({ event }) => event.name }) } } },
  },
})

const today = setup({ types }).createMachine({
  id: 'list',
  context: { names: [] },
  initial: 'idle',
  states: {
    idle: {
      on: {
        name: {
          target: 'named',
          actions: assign({ names: ({ context, event }) => [...context.names, event.name] }),
        },
      },
    },
    named: {
      on: { name: { actions: assign({ names: ({ context, event }) => [...context.names, event.name] }) } },
    },
  },
})

const given = {
  inputs: { 'a list': undefined as never },
  events: { name: { 'a name is given': { name: 'Ana' } } },
  outcomes: {},
}
const OLD: Fixture<typeof old> = { ...given, tellApart: ({ name }) => name }
const TODAY: Fixture<typeof today> = { ...given, tellApart: ({ names }) => Math.min(names.length, 2) }

test('a machine that cannot go on where the older one was is told by state', () => {
  const from = model(old, OLD).snapshots()
  const { restored, problems } = upgrade({ from, to: today, fixture: TODAY })
  assert.is(restored, 0)
  assert.equal(
    problems.map(({ state }) => state),
    ['waiting', 'named'],
  )
  assert.match(problems[0]!.problem, /waiting/)
  assert.match(problems[1]!.problem, /iterable/)
})

test('with a migration it goes on', () => {
  const migrate = (snapshot: Snapshot<unknown>) => {
    const { value, context } = snapshot as unknown as { value: string; context: { name: string } }
    return {
      ...snapshot,
      value: value === 'waiting' ? 'idle' : value,
      context: { names: context.name === '' ? [] : [context.name] },
    } as unknown as Snapshot<unknown>
  }
  const from = model(old, OLD).snapshots()
  assert.equal(upgrade({ from, to: today, fixture: TODAY, migrate }), { restored: 2, problems: [] })
})

test('a machine that nothing can happen to is no upgrade', () => {
  const deaf = setup({ types }).createMachine({
    id: 'list',
    context: { names: [] },
    initial: 'waiting',
    states: { waiting: {}, named: {} },
  })
  const from = model(old, OLD).snapshots()
  const { problems } = upgrade({ from, to: deaf, fixture: TODAY as unknown as Fixture<typeof deaf> })
  assert.equal(
    problems.map(({ problem }) => problem),
    ['nothing can happen any more', 'nothing can happen any more'],
  )
})

test('every machine goes on from each of its own snapshots', () => {
  for (const machine of (MACHINES as AnyStateMachine[]).filter(
    ({ id }) => id !== 'contact' && id !== 'call',
  )) {
    const from = model(machine, undefined, { limit: 60 }).snapshots()
    assert.ok(from.length > 1, machine.id)
    assert.equal(upgrade({ from, to: machine }), { restored: from.length, problems: [] }, machine.id)
  }
})

test.run()
