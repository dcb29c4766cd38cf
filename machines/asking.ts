import { assign, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { port } from './port.ts'
import { reassuringMachine } from './reassuring.ts'
import { say } from './speech.ts'
import type { Unit } from './unit.ts'

export interface AskRequest {
  callId: string
  unit: Unit
  /** ms that the visitor waits for an answer. */
  waitMs: number
}

export interface AskingOutput {
  /** Whether anybody could be asked. */
  asked: boolean
}

/**
 * Everybody of a unit who reads messages is asked in writing, and the visitor hears that we wait. The answer is not its
 * business: it is a decision that arrives at the call, which then leaves this machine.
 */
export const askingMachine = setup({
  types: {
    input: {} as AskRequest,
    context: {} as AskRequest & AskingOutput,
    output: {} as AskingOutput,
  },
  actors: {
    say,
    deadline,
    reassuring: reassuringMachine,
    /** Resolves when everybody of the unit who can be was asked, rejects when nobody can. */
    ask: port<void, AskRequest>('ask'),
  },
}).createMachine({
  id: 'asking',
  context: ({ input }) => ({ ...input, asked: false }),
  initial: 'asking',
  states: {
    asking: {
      invoke: [
        {
          src: 'ask',
          id: 'ask',
          input: ({ context: { callId, unit, waitMs } }) => ({ callId, unit, waitMs }),
          onDone: { target: 'waiting', actions: assign({ asked: true }) },
          onError: 'over',
        },
        {
          src: 'deadline',
          id: 'askDeadline',
          input: ({ context }) => inMs(context.waitMs),
          onDone: 'over',
        },
      ],
    },
    waiting: {
      invoke: {
        src: 'deadline',
        id: 'answerDeadline',
        input: ({ context }) => inMs(context.waitMs),
        onDone: 'over',
      },
      initial: 'telling',
      states: {
        telling: {
          invoke: {
            src: 'say',
            id: 'tellAsked',
            input: ({ context: { callId } }) => ({ callId, role: 'visitor', pieces: ['message-sent'] }),
            onDone: 'quiet',
          },
        },
        quiet: {
          invoke: {
            src: 'reassuring',
            id: 'reassuring',
            input: ({ context: { callId } }) => ({ callId, prompt: 'message-waiting' }),
          },
        },
      },
    },
    over: { type: 'final' },
  },
  output: ({ context: { asked } }) => ({ asked }),
})
