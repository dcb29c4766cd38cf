import { createActor, fromCallback, fromPromise, sendParent, sendTo, setup, spawnChild } from 'xstate'
import type { Drivable } from './drivable.ts'

/**
 * The baseline: the states, children and events of one call from greeting to hangup, with nothing in them: no context, no
 * guards, no inputs, no observer. What the call machine costs beyond it is the price of its content.
 */
const soon = fromPromise(async () => {})
const pending = fromPromise(() => new Promise<never>(() => {}))
const lasting = fromCallback(() => () => {})
const actors = { soon, pending, lasting }

type Key = { type: 'digit' } | { type: 'enter' }
type LegEvent = Key | { type: 'hangUp' } | { type: 'hungUp' }

const leg = setup({
  types: { events: {} as LegEvent },
  actors: { ...actors, hangUp: fromPromise(async ({ self }) => void self._parent?.send({ type: 'hungUp' })) },
}).createMachine({
  invoke: { src: 'lasting' },
  initial: 'connected',
  on: { hungUp: '.gone' },
  states: {
    connected: {
      on: {
        digit: { actions: sendParent({ type: 'digit' }) },
        enter: { actions: sendParent({ type: 'enter' }) },
        hangUp: 'hangingUp',
      },
      initial: 'listening',
      states: { listening: {}, speaking: {} },
    },
    hangingUp: { invoke: [{ src: 'hangUp' }, { src: 'pending' }] },
    gone: { type: 'final', entry: sendParent({ type: 'left' }) },
  },
})

const listening = setup({ actors }).createMachine({
  invoke: { src: 'pending' },
  initial: 'quiet',
  states: { quiet: { invoke: { src: 'pending' } } },
})

const unit = setup({ types: { events: {} as Key }, actors: { ...actors, listening } }).createMachine({
  initial: 'beginning',
  on: { digit: '.collecting' },
  states: {
    beginning: { always: 'asking' },
    asking: { invoke: { src: 'soon', onDone: 'waiting' } },
    waiting: { invoke: { src: 'listening' } },
    collecting: {
      invoke: { src: 'pending' },
      on: { digit: { target: 'collecting', reenter: true }, enter: 'checking' },
    },
    checking: { invoke: { src: 'soon', onDone: 'named' } },
    named: { type: 'final' },
  },
})

const question = setup({ types: { events: {} as Key }, actors }).createMachine({
  initial: 'asking',
  states: {
    asking: { invoke: { src: 'soon', onDone: 'inviting' } },
    inviting: { invoke: { src: 'soon', onDone: 'recording' } },
    recording: { invoke: { src: 'soon', onDone: 'answered' } },
    answered: { type: 'final' },
  },
})

const visitor = setup({
  types: { events: {} as Key },
  actors: { ...actors, unit, question },
}).createMachine({
  initial: 'greeting',
  states: {
    greeting: { invoke: { src: 'soon', onDone: 'unit' } },
    unit: {
      invoke: { src: 'unit', id: 'unit', onDone: 'identity' },
      on: {
        digit: { actions: sendTo('unit', { type: 'digit' }) },
        enter: { actions: sendTo('unit', { type: 'enter' }) },
      },
    },
    identity: { invoke: { src: 'question', onDone: 'purpose' } },
    purpose: { invoke: { src: 'question', onDone: 'confirming' } },
    confirming: { invoke: { src: 'soon', onDone: 'ready' } },
    ready: { type: 'final' },
  },
})

const contact = setup({ actors }).createMachine({
  initial: 'choosing',
  states: {
    choosing: { always: 'call' },
    call: {
      initial: 'dialing',
      states: {
        dialing: { invoke: [{ src: 'soon', onDone: 'ringing' }, { src: 'pending' }] },
        ringing: { invoke: [{ src: 'lasting' }, { src: 'pending' }] },
      },
    },
  },
})

const resident = setup({ types: { events: {} as Key }, actors: { ...actors, listening } }).createMachine({
  initial: 'announcing',
  on: { digit: '.decided' },
  states: {
    announcing: { invoke: { src: 'soon', onDone: 'deciding' } },
    deciding: {
      initial: 'waiting',
      states: {
        waiting: { invoke: { src: 'listening' } },
      },
    },
    decided: { type: 'final' },
  },
})

const concluding = setup({ actors }).createMachine({
  initial: 'farewell',
  states: {
    farewell: { invoke: { src: 'soon', onDone: 'lingering' } },
    lingering: { invoke: { src: 'soon', onDone: 'hangingUp' } },
    hangingUp: { entry: sendParent({ type: 'hangUp' }) },
  },
})

const call = setup({
  types: { events: {} as Key | { type: 'joined' } | { type: 'left' } | { type: 'hangUp' } },
  actors: { ...actors, leg, visitor, contact, resident, concluding },
}).createMachine({
  invoke: [{ src: 'leg', id: 'visitorLeg' }, { src: 'pending' }],
  on: { joined: { target: '.consulting', actions: spawnChild('leg', { id: 'residentLeg' }) } },
  initial: 'attending',
  states: {
    attending: {
      invoke: { src: 'visitor', id: 'visitor', onDone: 'matching' },
      on: {
        digit: { actions: sendTo('visitor', { type: 'digit' }) },
        enter: { actions: sendTo('visitor', { type: 'enter' }) },
      },
    },
    matching: { invoke: { src: 'soon', onDone: 'contacting' } },
    contacting: { invoke: [{ src: 'lasting' }, { src: 'contact' }] },
    consulting: {
      invoke: [
        { src: 'lasting' },
        { src: 'soon' },
        { src: 'resident', id: 'resident', onDone: 'concluding' },
      ],
      on: { digit: { actions: sendTo('resident', { type: 'digit' }) } },
    },
    concluding: {
      invoke: { src: 'concluding' },
      on: {
        hangUp: {
          actions: [sendTo('visitorLeg', { type: 'hangUp' }), sendTo('residentLeg', { type: 'hangUp' })],
        },
        left: '.oneLeft',
      },
      initial: 'both',
      states: { both: {}, oneLeft: { on: { left: '#ended' } } },
    },
    ended: { id: 'ended', type: 'final' },
  },
})

export function createBareCall(): Drivable {
  const actor = createActor(call)
  return {
    actor,
    press(role, key) {
      const leg = actor.getSnapshot().children[role === 'visitor' ? 'visitorLeg' : 'residentLeg']
      leg!.send({ type: key === '#' ? 'enter' : 'digit' })
    },
    join: () => actor.send({ type: 'joined' }),
  }
}
