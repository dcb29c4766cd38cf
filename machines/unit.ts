import { assign, sendTo, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { type ListeningFact, type ListeningOutput, listeningMachine } from './listening.ts'
import { port } from './port.ts'
import { type Piece, type Recording, type SharedNumber, say } from './speech.ts'

/** A unit of the directory, as the visitor named it. */
export interface Unit {
  id: string
  number: string
  label: string
}

/** What a number and blocks lead to; `several`: a block or tower is missing. */
export type UnitFound = Unit | 'several' | null

/** ms and counts of the visitor's dialogue. They are generous: visitors stand in the wind and look for their glasses. */
export const VISITOR_PATIENCE = {
  /** Silence after a question before it is asked again. */
  silenceMs: 7000,
  /** Silence after the last digit, for visitors who do not press #. */
  digitMs: 4000,
  /** How often a question is asked before the dialogue gives up. */
  asks: 2,
  /** Number of unknown units that end the dialogue. */
  misses: 2,
  /** The key that asks anew, star or hash outside of a number, that ends the dialogue. */
  restarts: 4,
  /** Maximum speech without a pause. */
  speechMs: 15_000,
  /** More digits than any unit has; further ones are ignored. */
  digits: 8,
}

/** What was understood of free speech; null for what was not said. */
export interface VisitorSpeech {
  unit: Unit | null
  /** Present where several units have the number that was said. */
  shared?: SharedNumber
  /** Recording of the utterance if it names the visitor; the resident hears it. */
  identity: Recording | null
  /** The same if it gives only the purpose. */
  purpose: Recording | null
  /** Whether it gives the purpose, with or without a name. */
  purposeSaid: boolean
}

export type GaveUp = 'silent' | 'unknown-unit'

export interface UnitInput {
  callId: string
  /** Whether speech is transcribed; otherwise only keys name a unit. */
  transcribes: boolean
  /** Whether speech interrupts the question; otherwise only a key does. */
  bargesIn: boolean
  /** The digit that interrupted the greeting, or an empty string. */
  digits: string
  /** The visitor has interrupted the greeting and is speaking. */
  speaks?: boolean
}

/** The unit, and what else was said with it. */
export interface UnitOutput extends VisitorSpeech {
  gaveUp: GaveUp | null
  /** False once speech could not be transcribed. */
  transcribes: boolean
  /** Keys that were pressed while the unit was looked up; they belong to the next question. */
  keys?: string
}

export interface UnitContext extends UnitInput, UnitOutput {
  keys: string
  speaks: boolean
  /** The next question, in its words. */
  question: Piece[]
  /** Null unless the block of this number is asked for. */
  asking: SharedNumber | null
  asked: number
  missed: number
  /** How often a key has asked anew. */
  restarts: number
}

export type UnitEvent =
  | { type: 'key.pressed'; key: string }
  | { type: 'speech.started' }
  | { type: 'call.restored' }
  | ListeningFact

type Understood = ListeningOutput<VisitorSpeech>

/** Asks which unit the visitor wants: by keys, or in words if they are transcribed. */
export const unitMachine = setup({
  types: {
    input: {} as UnitInput,
    context: {} as UnitContext,
    events: {} as UnitEvent,
    output: {} as UnitOutput,
  },
  actors: {
    say,
    deadline,
    listening: listeningMachine<VisitorSpeech>('listen'),
    findUnit: port<UnitFound, SharedNumber & { callId: string }>('findUnit'),
  },
  actions: {
    startOver: assign({ question: ['ask-unit'], digits: '', asked: 0, asking: null }),
    countRestart: assign({ restarts: ({ context }) => context.restarts + 1 }),
    keepKey: assign({
      keys: ({ context, event }) => (context.keys + keyOf(event)).slice(0, VISITOR_PATIENCE.digits + 1),
    }),
    takeKeys: assign({
      digits: ({ context }) => aheadOf(context).digits.slice(0, VISITOR_PATIENCE.digits),
      keys: '',
      asked: 0,
    }),
    dropKeys: assign({ keys: '' }),
    askAgain: assign({
      question: ({ context }) => [context.asking === null ? 'ask-unit-again' : 'ask-block'],
      digits: '',
    }),
    askBlock: assign((_, asking: SharedNumber) => ({
      question: ['ask-block'],
      digits: '',
      asked: 0,
      asking,
    })),
    tellUnknown: assign({
      question: ['unit-unknown', 'ask-unit'],
      digits: '',
      asking: null,
      missed: ({ context }) => context.missed + 1,
    }),
    countAsking: assign({ asked: ({ context }) => context.asked + 1 }),
    keepSpeech: assign((_, { understood }: Understood) => ({ ...understood })),
    keepDigit: assign({
      digits: ({ context, event }) => (context.digits + keyOf(event)).slice(0, VISITOR_PATIENCE.digits),
      asked: 0,
    }),
    giveUp: assign((_, gaveUp: GaveUp) => ({ gaveUp })),
  },
  guards: {
    speaks: ({ context }) => context.speaks,
    hasDigits: ({ context }) => context.digits !== '',
    isDigit: ({ event }) => isDigit(keyOf(event)),
    isHash: ({ event }) => keyOf(event) === '#',
    isSurplus: ({ context, event }) =>
      isDigit(keyOf(event)) && context.digits.length >= VISITOR_PATIENCE.digits,
    /** Somebody does not want to hear the question to its end. */
    skips: ({ context, event }) => context.asking === null && !isDigit(keyOf(event)),
    keyedAhead: ({ context }) => aheadOf(context).digits !== '',
    keyedAllAhead: ({ context }) => aheadOf(context).digits !== '' && aheadOf(context).isComplete,
    restartsTooOften: ({ context }) => context.restarts + 1 >= VISITOR_PATIENCE.restarts,
    bargesIn: ({ context }) => context.transcribes && context.bargesIn,
    namesUnit: (_, { understood }: Understood) => understood !== null && understood.unit !== null,
    sharesNumber: ({ context }, { understood }: Understood) =>
      understood?.shared !== undefined &&
      understood.shared.blocks.length >= (context.asking ? context.asking.blocks.length + 1 : 0),
    isKnown: (_, found: UnitFound) => found !== null && found !== 'several',
    // a block, and a tower in it; no unit needs more
    needsBlock: ({ context }, found: UnitFound) =>
      found === 'several' && (context.asking?.blocks.length ?? -1) < 1,
    askedEnough: ({ context }) => context.asked >= VISITOR_PATIENCE.asks,
    missedEnough: ({ context }) => context.missed + 1 >= VISITOR_PATIENCE.misses,
  },
}).createMachine({
  id: 'unit',
  context: ({ input }) => ({
    ...input,
    speaks: input.speaks ?? false,
    question: ['ask-unit'],
    asking: null,
    asked: 0,
    missed: 0,
    restarts: 0,
    keys: '',
    unit: null,
    identity: null,
    purpose: null,
    purposeSaid: false,
    gaveUp: null,
  }),
  initial: 'beginning',
  on: {
    'key.pressed': [
      { guard: 'isDigit', target: '.collecting', actions: 'keepDigit' },
      {
        guard: 'restartsTooOften',
        target: '.gaveUp',
        actions: { type: 'giveUp', params: 'unknown-unit' },
      },
      { target: '.asking', actions: ['startOver', 'countRestart'] },
    ],
    'call.restored': { target: '.asking', actions: 'startOver' },
  },
  states: {
    beginning: {
      always: [
        { guard: 'hasDigits', target: 'collecting' },
        { guard: 'speaks', target: 'waiting' },
        { target: 'asking' },
      ],
    },
    asking: {
      entry: 'countAsking',
      always: [
        { guard: 'keyedAllAhead', target: 'checking', actions: 'takeKeys' },
        { guard: 'keyedAhead', target: 'collecting', actions: 'takeKeys' },
      ],
      invoke: {
        src: 'say',
        id: 'ask',
        input: ({ context: { callId, question } }) => ({ callId, role: 'visitor', pieces: question }),
        onDone: 'waiting',
      },
      on: {
        'speech.started': { guard: 'bargesIn', target: 'waiting' },
        'key.pressed': { guard: 'skips', target: 'waiting' },
      },
    },
    waiting: {
      entry: 'dropKeys',
      invoke: {
        src: 'listening',
        id: 'listening',
        input: ({ context: { callId, transcribes, asking, asked, speaks }, event }) => ({
          callId,
          transcribes,
          ...(asking && { asking }),
          // who spoke over the greeting has not been asked yet
          speaks: event.type === 'speech.started' || (speaks && asked === 0),
          silenceMs: VISITOR_PATIENCE.silenceMs,
          speechMs: VISITOR_PATIENCE.speechMs,
        }),
        onDone: [
          {
            guard: { type: 'namesUnit', params: ({ event }) => event.output },
            target: 'named',
            actions: { type: 'keepSpeech', params: ({ event }) => event.output },
          },
          {
            guard: { type: 'sharesNumber', params: ({ event }) => event.output },
            target: 'asking',
            actions: { type: 'askBlock', params: ({ event }) => event.output.understood!.shared! },
          },
          {
            guard: 'askedEnough',
            target: 'gaveUp',
            actions: {
              type: 'giveUp',
              params: ({ event }) => (event.output.understood ? 'unknown-unit' : 'silent'),
            },
          },
          { target: 'asking', actions: 'askAgain' },
        ],
      },
      on: {
        'speech.started': { actions: sendTo('listening', { type: 'speech.started' }) },
        'speech.failed': { actions: assign({ transcribes: false }) },
      },
    },
    collecting: {
      invoke: {
        src: 'deadline',
        id: 'digit',
        input: ({ self }) => inMs(self, VISITOR_PATIENCE.digitMs),
        onDone: 'checking',
      },
      on: {
        'key.pressed': [
          // they do not prolong the wait
          { guard: 'isSurplus' },
          { guard: 'isDigit', target: 'collecting', actions: 'keepDigit', reenter: true },
          { guard: 'isHash', target: 'checking' },
        ],
      },
    },
    checking: {
      entry: 'dropKeys',
      invoke: {
        src: 'findUnit',
        id: 'findUnit',
        input: ({ context }) => ({ callId: context.callId, ...queryOf(context) }),
        onDone: [
          {
            guard: { type: 'isKnown', params: ({ event }) => event.output },
            target: 'named',
            actions: assign({ unit: ({ event }) => event.output as Unit }),
          },
          {
            guard: { type: 'needsBlock', params: ({ event }) => event.output },
            target: 'asking',
            actions: { type: 'askBlock', params: ({ context }) => queryOf(context) },
          },
          { guard: 'missedEnough', target: 'gaveUp', actions: { type: 'giveUp', params: 'unknown-unit' } },
          { target: 'asking', actions: 'tellUnknown' },
        ],
      },
      // keys during the look-up belong to the next question
      on: { 'key.pressed': { actions: 'keepKey' }, 'call.restored': {} },
    },
    named: { type: 'final' },
    gaveUp: { type: 'final' },
  },
  output: ({ context: { unit, identity, purpose, purposeSaid, gaveUp, transcribes, keys } }) => ({
    unit,
    identity,
    purpose,
    purposeSaid,
    gaveUp,
    transcribes,
    keys,
  }),
})

export function isDigit(key: string): boolean {
  return /^[0-9A-D]$/.test(key)
}

function keyOf(event: UnitEvent): string {
  return event.type === 'key.pressed' ? event.key : ''
}

/** What the keys before a question say to it: leading digits, complete with a hash. */
function aheadOf({ keys }: UnitContext): { digits: string; isComplete: boolean } {
  const [, digits = '', hash] = /^([0-9A-D]*)(#?)/.exec(keys) ?? []
  return { digits, isComplete: hash === '#' }
}

/** The digits are a number, or the block or tower of one. */
function queryOf({ asking, digits }: UnitContext): SharedNumber {
  if (asking === null) return { number: digits, blocks: [] }
  return { number: asking.number, blocks: [...asking.blocks, digits] }
}
