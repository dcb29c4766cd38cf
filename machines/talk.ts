import { assign, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { lastingPort } from './port.ts'
import { type ResidentOutput, verdictOf } from './resident.ts'
import { sayBoth } from './speech.ts'

export interface TalkInput {
  callId: string
  /** Maximum length of the talk, ms. */
  talkMs: number
}

export type TalkContext = TalkInput & ResidentOutput

export type TalkEvent = { type: 'key.pressed'; key: string }

/** Visitor and resident talk to each other until the resident decides by key. */
export const talkMachine = setup({
  types: {
    input: {} as TalkInput,
    context: {} as TalkContext,
    events: {} as TalkEvent,
    output: {} as ResidentOutput,
  },
  actors: { sayBoth, deadline, bridge: lastingPort<{ callId: string }>('bridge') },
  guards: { isVerdict: ({ event }) => verdictOf(event.key) !== undefined },
}).createMachine({
  id: 'talk',
  context: ({ input }) => ({ ...input, answer: 'undecided', via: 'key' }),
  invoke: {
    src: 'deadline',
    id: 'talkDeadline',
    input: ({ context, self }) => inMs(self, context.talkMs),
    onDone: '.over',
  },
  on: {
    'key.pressed': {
      guard: 'isVerdict',
      target: '.over',
      actions: assign({ answer: ({ event }) => verdictOf(event.key)! }),
    },
  },
  initial: 'introducing',
  states: {
    introducing: {
      description: 'tells each that the other is coming on the line',
      invoke: {
        src: 'sayBoth',
        id: 'introduce',
        input: ({ context }) => ({
          callId: context.callId,
          words: { visitor: ['talk-visitor'], resident: ['talk-resident'] },
        }),
        onDone: 'bridged',
      },
    },
    bridged: {
      invoke: { src: 'bridge', id: 'bridge', input: ({ context }) => ({ callId: context.callId }) },
    },
    over: { type: 'final' },
  },
  output: ({ context: { answer, via } }) => ({ answer, via }),
})
