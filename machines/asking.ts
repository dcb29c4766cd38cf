import { assign, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { port } from './port.ts'
import { say } from './speech.ts'
import type { Unit } from './unit.ts'

export interface AskRequest {
  callId: string
  unit: Unit
  /** ms that the visitor waits for an answer. */
  waitMs: number
}

export interface AskingOutput {
  /** Whether a question was sent to anybody. */
  asked: boolean
}

/**
 * Asks all residents of a unit who read messages in writing, and tells the visitor to wait. An answer goes to the call as a
 * decision; the call then stops this machine.
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
    /** Resolves when all residents who read messages were asked; rejects when there are none. */
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
          input: ({ context, self }) => inMs(self, context.waitMs),
          onDone: 'over',
        },
      ],
    },
    waiting: {
      invoke: {
        src: 'deadline',
        id: 'answerDeadline',
        input: ({ context, self }) => inMs(self, context.waitMs),
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
        quiet: {},
      },
    },
    over: { type: 'final' },
  },
  output: ({ context: { asked } }) => ({ asked }),
})
