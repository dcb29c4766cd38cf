import { setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { say } from './speech.ts'

export interface ReassuringInput {
  callId: string
  /** The prompt that is repeated. */
  prompt: string
}

/** ms between two prompts to a waiting visitor. */
export const REASSURING_MS = 20_000

/** Repeats a prompt to a waiting visitor as long as its state lasts. */
export const reassuringMachine = setup({
  types: { input: {} as ReassuringInput, context: {} as ReassuringInput },
  actors: { say, deadline },
}).createMachine({
  id: 'reassuring',
  context: ({ input }) => ({ ...input }),
  initial: 'quiet',
  states: {
    quiet: {
      invoke: {
        src: 'deadline',
        id: 'patience',
        input: ({ self }) => inMs(self, REASSURING_MS),
        onDone: 'telling',
      },
    },
    telling: {
      invoke: {
        src: 'say',
        id: 'tell',
        input: ({ context: { callId, prompt } }) => ({ callId, role: 'visitor', pieces: [prompt] }),
        onDone: 'quiet',
      },
    },
  },
})
