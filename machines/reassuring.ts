import { assign, setup } from 'xstate'
import { clockOf } from './clock.ts'
import { deadline, inMs } from './deadline.ts'
import { say } from './speech.ts'

export interface ReassuringInput {
  callId: string
  /** The prompt that tells how it stands. */
  prompt: string
}

/**
 * `waits`: from now on this prompt tells how it stands. `rests`: the visitor talks and needs no prompt. The others come from the
 * visitor's leg: whatever is said to the visitor puts the next prompt off.
 */
export type ReassuringEvent =
  | { type: 'waits'; prompt: string }
  | { type: 'rests' }
  | { type: 'saying' }
  | { type: 'said' }

/** Maximum ms from the beginning of one utterance to a waiting visitor to the next. */
export const REASSURING_MS = 20_000
/** Minimum ms between a long utterance and a prompt. */
const PAUSE_MS = 5000
/** Longest time that an utterance may take; then it counts as said, ms. */
const LONGEST_MS = 60_000

export interface ReassuringContext extends ReassuringInput {
  /** When the last utterance to the visitor began, ms since the epoch. */
  since: number
}

/** Tells a waiting visitor how it stands as soon as nothing has been said for a while, whatever happens around it. */
export const reassuringMachine = setup({
  types: {
    input: {} as ReassuringInput,
    context: {} as ReassuringContext,
    events: {} as ReassuringEvent,
  },
  actors: { say, deadline },
  actions: {
    keepPrompt: assign((_, prompt: string) => ({ prompt })),
    begin: assign(({ self }) => ({ since: clockOf(self).now() })),
  },
}).createMachine({
  id: 'reassuring',
  context: ({ input, self }) => ({ ...input, since: clockOf(self).now() }),
  initial: 'quiet',
  on: {
    waits: { actions: { type: 'keepPrompt', params: ({ event }) => event.prompt } },
    rests: '.resting',
  },
  states: {
    quiet: {
      invoke: {
        src: 'deadline',
        id: 'patience',
        input: ({ context, self }) => ({
          at: Math.max(context.since + REASSURING_MS, clockOf(self).now() + PAUSE_MS),
        }),
        onDone: 'telling',
      },
      on: { saying: 'hearing' },
    },
    hearing: {
      description: 'something else is being said to the visitor',
      entry: 'begin',
      invoke: {
        src: 'deadline',
        id: 'hearingDeadline',
        input: ({ self }) => inMs(self, LONGEST_MS),
        onDone: 'telling',
      },
      on: { saying: { target: 'hearing', reenter: true }, said: 'quiet' },
    },
    telling: {
      entry: 'begin',
      invoke: {
        src: 'say',
        id: 'tell',
        input: ({ context: { callId, prompt } }) => ({ callId, role: 'visitor', pieces: [prompt] }),
        onDone: 'quiet',
      },
    },
    resting: {
      description: 'visitor and resident talk',
      on: {
        waits: {
          target: 'quiet',
          actions: { type: 'keepPrompt', params: ({ event }) => event.prompt },
        },
      },
    },
  },
})
