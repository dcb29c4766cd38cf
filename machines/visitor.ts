import { assign, sendParent, sendTo, setup } from 'xstate'
import { type QuestionInput, type QuestionOutput, questionMachine } from './question.ts'
import { type Piece, type Recording, type RecordingName, say } from './speech.ts'
import { type GaveUp, isDigit, type Unit, type UnitOutput, unitMachine } from './unit.ts'

export interface VisitorOutput {
  unit: Unit | null
  identity: Recording | null
  purpose: Recording | null
  gaveUp: GaveUp | null
}

export interface VisitorContext extends VisitorOutput {
  callId: string
  transcribes: boolean
  bargesIn: boolean
  welcome: string | null
  purposeSaid: boolean
  /** How often the visitor went back to the unit. */
  corrections: number
  /** Keys that were pressed while the unit was looked up; they belong to the next question. */
  keys: string
}

/** How often a visitor may go back to the unit from the later questions, and again from the search. */
export const CORRECTIONS = 3

export interface VisitorInput {
  callId: string
  /** Whether speech is transcribed; otherwise only keys name a unit. */
  transcribes?: boolean
  /** Whether speech interrupts the question; otherwise only a key does. */
  bargesIn?: boolean
  /** The condominium's name, spoken after the greeting. */
  welcome?: string | null
  /** What was said before the visitor asked to correct the unit. */
  said?: Pick<VisitorOutput, 'unit' | 'identity' | 'purpose'>
}

export type VisitorEvent =
  | { type: 'key.pressed'; key: string }
  | { type: 'speech.started' }
  /** The visitor is back on the line: repeats the last question. */
  | { type: 'call.restored' }

/** Tells the call the unit before the dialogue is over, so that its record has the unit however it ends. */
export interface VisitorFact {
  type: 'visitor.chose'
  unit: Unit
}

const CORRECTS = {
  guard: { type: 'corrects', params: ({ event }: { event: { output: QuestionOutput } }) => event.output },
  target: 'unit',
  actions: 'countCorrection',
} as const

/** The visitor's dialogue: unit, name and purpose. */
export const visitorMachine = setup({
  types: {
    input: {} as VisitorInput,
    context: {} as VisitorContext,
    events: {} as VisitorEvent,
    output: {} as VisitorOutput,
  },
  actors: { say, unit: unitMachine, question: questionMachine },
  actions: {
    /** Takes what speech gave beside the unit; what it did not give stays. */
    keepUnit: assign(({ context }, said: UnitOutput) => ({
      unit: said.unit ?? context.unit,
      identity: said.identity ?? context.identity,
      purpose: said.purpose ?? context.purpose,
      purposeSaid: said.purposeSaid || context.purposeSaid,
      transcribes: said.transcribes,
      keys: said.keys ?? '',
      gaveUp: said.gaveUp,
    })),
    countCorrection: assign({ corrections: ({ context }) => context.corrections + 1, keys: '' }),
    tellUnit: sendParent(({ context }): VisitorFact => ({ type: 'visitor.chose', unit: context.unit! })),
  },
  guards: {
    bargesIn: ({ context }) => bargesIn(context),
    corrected: ({ context }) => context.unit !== null,
    gaveUp: (_, { gaveUp }: UnitOutput) => gaveUp !== null,
    isIdentified: ({ context }) => context.identity !== null,
    saidPurpose: ({ context }) => context.purposeSaid,
    corrects: (_, { corrects }: QuestionOutput) => corrects,
    wasAnswered: (_, { recording }: QuestionOutput) => recording !== null,
  },
}).createMachine({
  id: 'visitor',
  context: ({ input }) => ({
    callId: input.callId,
    transcribes: input.transcribes ?? false,
    bargesIn: input.bargesIn ?? false,
    welcome: input.welcome ?? null,
    purposeSaid: input.said?.purpose != null,
    unit: input.said?.unit ?? null,
    identity: input.said?.identity ?? null,
    purpose: input.said?.purpose ?? null,
    gaveUp: null,
    corrections: 0,
    keys: '',
  }),
  initial: 'beginning',
  states: {
    beginning: { always: [{ guard: 'corrected', target: 'unit' }, { target: 'greeting' }] },
    greeting: {
      invoke: {
        src: 'say',
        id: 'greet',
        input: ({ context }) => saying(context, greeting(context)),
        onDone: 'unit',
      },
      on: { 'key.pressed': 'unit', 'speech.started': { guard: 'bargesIn', target: 'unit' } },
    },
    unit: {
      invoke: {
        src: 'unit',
        id: 'unit',
        input: ({ context: { callId, transcribes, bargesIn }, event }) => ({
          callId,
          transcribes,
          bargesIn,
          // regular visitors key the unit into the greeting
          digits: event.type === 'key.pressed' && isDigit(event.key) ? event.key : '',
          speaks: event.type === 'speech.started',
        }),
        onDone: [
          {
            guard: { type: 'gaveUp', params: ({ event }) => event.output },
            target: 'gaveUp',
            actions: { type: 'keepUnit', params: ({ event }) => event.output },
          },
          {
            target: 'identity',
            actions: [{ type: 'keepUnit', params: ({ event }) => event.output }, 'tellUnit'],
          },
        ],
      },
      on: {
        'key.pressed': { actions: sendTo('unit', ({ event }) => event) },
        'call.restored': { actions: sendTo('unit', ({ event }) => event) },
        'speech.started': { actions: sendTo('unit', ({ event }) => event) },
      },
    },
    identity: {
      always: { guard: 'isIdentified', target: 'purpose' },
      invoke: {
        src: 'question',
        id: 'question',
        input: ({ context }) => questioning(context, 'identity', [['ask-name'], ['ask-name-again']]),
        onDone: [
          CORRECTS,
          {
            guard: { type: 'wasAnswered', params: ({ event }) => event.output },
            target: 'purpose',
            actions: assign({ identity: ({ event }) => event.output.recording, keys: '' }),
          },
          // a visitor who keyed a unit but does not speak is announced without a name
          { target: 'ready' },
        ],
      },
      on: {
        'key.pressed': { actions: sendTo('question', ({ event }) => event) },
        'call.restored': { actions: sendTo('question', ({ event }) => event) },
        'speech.started': { actions: sendTo('question', ({ event }) => event) },
      },
    },
    purpose: {
      always: { guard: 'saidPurpose', target: 'ready' },
      invoke: {
        src: 'question',
        id: 'question',
        input: ({ context }) => questioning(context, 'purpose', [['ask-purpose']]),
        onDone: [
          CORRECTS,
          { target: 'ready', actions: assign({ purpose: ({ event }) => event.output.recording }) },
        ],
      },
      on: {
        'key.pressed': { actions: sendTo('question', ({ event }) => event) },
        'call.restored': { actions: sendTo('question', ({ event }) => event) },
        'speech.started': { actions: sendTo('question', ({ event }) => event) },
      },
    },
    ready: { type: 'final' },
    gaveUp: { type: 'final' },
  },
  output: ({ context: { unit, identity, purpose, gaveUp } }) => ({ unit, identity, purpose, gaveUp }),
})

function questioning(context: VisitorContext, name: RecordingName, asks: Piece[][]): QuestionInput {
  const { callId, corrections, keys } = context
  const mayCorrect = corrections < CORRECTIONS
  return { callId, name, asks, keys, mayCorrect, bargesIn: bargesIn(context) }
}

/** Without a recogniser, noise cannot be told from speech afterwards. */
function bargesIn(context: VisitorContext): boolean {
  return context.transcribes && context.bargesIn
}

function greeting({ welcome }: VisitorContext): Piece[] {
  return welcome === null ? ['greeting'] : ['greeting', { speak: welcome }]
}

function saying({ callId }: { callId: string }, pieces: Piece[]) {
  return { callId, role: 'visitor' as const, pieces }
}
