import { assign, setup } from 'xstate'
import { type Piece, type Recording, type RecordingName, record, say } from './speech.ts'

export interface QuestionInput {
  callId: string
  /** Name of the answer's recording. */
  name: RecordingName
  /** The question, in the words of the first time, the second, and so on. */
  asks: Piece[][]
  /** Keys that were pressed before it was asked. */
  keys?: string
  /** Whether star leads back to the unit; otherwise it is a key like any other. Default: it does. */
  mayCorrect?: boolean
  /** Whether speech interrupts the question; otherwise only a key does. */
  bargesIn?: boolean
}

export interface QuestionContext extends Required<QuestionInput>, QuestionOutput {
  asked: number
  bargesIn: boolean
}

export interface QuestionOutput {
  /** The recorded answer; null after silence. */
  recording: Recording | null
  /** The visitor wants to name the unit again. */
  corrects: boolean
}

export type QuestionEvent =
  | { type: 'key.pressed'; key: string }
  | { type: 'speech.started' }
  | { type: 'call.restored' }

/** Back to the unit, at any moment of the question. */
const STAR = { guard: 'corrects', target: 'answered', actions: 'correct' } as const

/** Who answers already needs no tone. */
const BARGE_IN = { 'speech.started': { guard: 'bargesIn', target: 'recording' } } as const

/** One question that the visitor answers by voice: asks it, plays a tone and records the answer. */
export const questionMachine = setup({
  types: {
    input: {} as QuestionInput,
    context: {} as QuestionContext,
    events: {} as QuestionEvent,
    output: {} as QuestionOutput,
  },
  actors: { say, record },
  actions: {
    correct: assign({ corrects: true }),
    countAsking: assign({ asked: ({ context }) => context.asked + 1 }),
    /** The attempt that was cut off does not count. */
    askAnew: assign({ asked: ({ context }) => Math.max(0, context.asked - 1) }),
  },
  guards: {
    corrects: ({ context, event }) => context.mayCorrect && event.type === 'key.pressed' && event.key === '*',
    hadStar: ({ context }) => context.mayCorrect && context.keys.includes('*'),
    hadKeys: ({ context }) => context.keys !== '',
    wasHeard: (_, recording: Recording) => recording.heard,
    bargesIn: ({ context }) => context.bargesIn,
    mayAsk: ({ context }) => context.asked < context.asks.length,
  },
}).createMachine({
  id: 'question',
  context: ({ input: { keys = '', mayCorrect = true, bargesIn = false, ...input } }) => ({
    ...input,
    keys,
    mayCorrect,
    bargesIn,
    asked: 0,
    recording: null,
    corrects: false,
  }),
  initial: 'beginning',
  on: { 'call.restored': { target: '.asking', actions: 'askAnew' } },
  states: {
    beginning: {
      always: [
        { guard: 'hadStar', target: 'answered', actions: 'correct' },
        { guard: 'hadKeys', target: 'inviting' },
        { target: 'asking' },
      ],
    },
    asking: {
      entry: 'countAsking',
      invoke: {
        src: 'say',
        id: 'ask',
        input: ({ context }) => saying(context, context.asks[context.asked - 1]!),
        onDone: 'inviting',
      },
      on: {
        'key.pressed': [STAR, { target: 'inviting' }],
        ...BARGE_IN,
      },
    },
    inviting: {
      invoke: {
        src: 'say',
        id: 'beep',
        input: ({ context }) => saying(context, ['beep']),
        onDone: 'recording',
      },
      on: { 'key.pressed': STAR, ...BARGE_IN },
    },
    recording: {
      invoke: {
        src: 'record',
        id: 'record',
        input: ({ context: { callId, name } }) => ({ callId, role: 'visitor', name }),
        onDone: [
          {
            guard: { type: 'wasHeard', params: ({ event }) => event.output },
            target: 'answered',
            actions: assign({ recording: ({ event }) => event.output }),
          },
          { guard: 'mayAsk', target: 'asking' },
          { target: 'answered' },
        ],
      },
      on: { 'key.pressed': STAR },
    },
    answered: { type: 'final' },
  },
  output: ({ context: { recording, corrects } }) => ({ recording, corrects }),
})

function saying({ callId }: QuestionContext, pieces: Piece[]) {
  return { callId, role: 'visitor' as const, pieces }
}
