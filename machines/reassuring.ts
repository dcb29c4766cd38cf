import { setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { say } from './speech.ts'

export interface ReassuringInput {
  callId: string
  /** What the visitor hears each time. */
  prompt: string
}

/** ms between two words to a visitor who waits. */
export const REASSURING_MS = 20_000

/** Tells a visitor who waits how it stands, again and again, as long as the state lasts that invokes it. */
export const reassuringMachine = setup({
  types: { input: {} as ReassuringInput, context: {} as ReassuringInput },
  actors: { say, deadline },
}).createMachine({
  id: 'reassuring',
  context: ({ input }) => ({ ...input }),
  initial: 'quiet',
  states: {
    quiet: {
      invoke: { src: 'deadline', id: 'patience', input: () => inMs(REASSURING_MS), onDone: 'telling' },
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
