import { assign, sendParent, setup } from 'xstate'
import { clockOf } from './clock.ts'
import { deadline } from './deadline.ts'
import { type Ending, goodbye } from './outcome.ts'
import { sayBoth } from './speech.ts'

export interface ConcludingInput {
  callId: string
  ending: Ending
  /** Minimum ms between the start of both goodbyes and the hangup. */
  hangupDelayMs: number
}

export interface ConcludingContext extends ConcludingInput {
  /** When both goodbyes had begun, ms since the epoch. */
  farewellAt: number
}

/** We closed a leg because the other side did not. */
export type ConcludingEvent = { type: 'leg.forced' }

/** What this machine asks of its call. */
export type ConcludingCommand = { type: 'legs.hangUp' }

/**
 * The end of a call: both legs hear their whole goodbye, then get 0x00. The call ends when its legs are gone, whatever the
 * state of this machine.
 */
export const concludingMachine = setup({
  types: {
    input: {} as ConcludingInput,
    context: {} as ConcludingContext,
    events: {} as ConcludingEvent,
  },
  actors: { sayBoth, deadline },
  actions: {
    hangUpLegs: sendParent((): ConcludingCommand => ({ type: 'legs.hangUp' })),
  },
}).createMachine({
  id: 'concluding',
  context: ({ input }) => ({ ...input, farewellAt: 0 }),
  initial: 'farewell',
  states: {
    farewell: {
      invoke: {
        src: 'sayBoth',
        id: 'sayGoodbye',
        input: ({ context }) => ({ callId: context.callId, words: goodbye(context.ending) }),
        onDone: { target: 'lingering', actions: assign({ farewellAt: ({ event }) => event.output.beganAt }) },
        // the call ends without the words
        onError: { target: 'lingering', actions: assign({ farewellAt: ({ self }) => clockOf(self).now() }) },
      },
    },
    lingering: {
      invoke: {
        src: 'deadline',
        id: 'hangupDelay',
        input: ({ context }) => ({ at: context.farewellAt + context.hangupDelayMs }),
        onDone: 'hangingUp',
      },
    },
    hangingUp: { entry: 'hangUpLegs', on: { 'leg.forced': 'forcing' } },
    forcing: {
      description: 'a leg did not close after 0x00; it closes its socket and reports that',
      type: 'final',
    },
  },
})
