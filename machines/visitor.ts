import { assign, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { port } from './port.ts'
import { listening, type Piece, type Recording, record, say } from './speech.ts'

/** A unit of the directory, as the visitor named it. */
export interface Unit {
  id: string
  number: string
  label: string
}

/** ms and counts of the visitor's dialogue; people at a gate are in the wind and look for their glasses. */
export const VISITOR_PATIENCE = {
  /** Silence after a question before it is asked again. */
  silenceMs: 7000,
  /** After the last digit, for those who do not press #. */
  digitMs: 4000,
  /** How often a question is asked before we give up on it. */
  asks: 2,
  /** How many unknown units end the dialogue. */
  misses: 2,
  /** The longest that somebody may speak without a pause. */
  speechMs: 15_000,
  /** More digits than any unit has; the rest is ignored. */
  digits: 8,
}

/** What free speech said, as far as it could be understood; what was not said is null. */
export interface VisitorSpeech {
  unit: Unit | null
  /** The utterance itself, where it says who is there; it is played to the resident. */
  identity: Recording | null
  /** The same, where it says only why. */
  purpose: Recording | null
  /** Whether it says why, be it beside the name. */
  purposeSaid: boolean
}

export type GaveUp = 'silent' | 'unknown-unit'

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
  digits: string
  /** The question as it is asked next. */
  question: Piece[]
  asked: number
  missed: number
}

export interface VisitorInput {
  callId: string
  /** Whether speech is transcribed; otherwise only keys name a unit. */
  transcribes?: boolean
  /** Whether speech interrupts the question; otherwise only a key does. */
  bargesIn?: boolean
  /** The condominium's name, spoken after the greeting. */
  welcome?: string | null
}

export type VisitorEvent = { type: 'key.pressed'; key: string } | { type: 'speech.started' }

/** The visitor's dialogue by keypad: which unit, who is there, and why. */
export const visitorMachine = setup({
  types: {
    input: {} as VisitorInput,
    context: {} as VisitorContext,
    events: {} as VisitorEvent,
    output: {} as VisitorOutput,
  },
  actors: {
    say,
    record,
    deadline,
    listen: listening<VisitorSpeech>('listen'),
    findUnit: port<Unit | null, { callId: string; number: string }>('findUnit'),
  },
  actions: {
    askUnit: assign({ question: ['ask-unit'], digits: '', asked: 0 }),
    askUnitAgain: assign({ question: ['ask-unit-again'], digits: '' }),
    tellUnknown: assign({
      question: ['unit-unknown', 'ask-unit'],
      digits: '',
      missed: ({ context }) => context.missed + 1,
    }),
    askName: assign({ question: ['ask-name'], asked: 0 }),
    askNameAgain: assign({ question: ['ask-name-again'] }),
    askPurpose: assign({ question: ['ask-purpose'], asked: 0 }),
    countQuestion: assign({ asked: ({ context }) => context.asked + 1 }),
    keepSpeech: assign((_, { unit, identity, purposeSaid }: VisitorSpeech) => ({
      unit,
      identity,
      purposeSaid,
    })),
    keepDigit: assign({
      digits: ({ context, event }) => (context.digits + keyOf(event)).slice(0, VISITOR_PATIENCE.digits),
      asked: 0,
    }),
  },
  guards: {
    isDigit: ({ event }) => /^[0-9A-D]$/.test(keyOf(event)),
    isStar: ({ event }) => keyOf(event) === '*',
    isHash: ({ event }) => keyOf(event) === '#',
    transcribes: ({ context }) => context.transcribes,
    bargesIn: ({ context }) => context.transcribes && context.bargesIn,
    namesUnit: (_, speech: VisitorSpeech) => speech.unit !== null,
    isIdentified: ({ context }) => context.identity !== null,
    saidPurpose: ({ context }) => context.purposeSaid,
    isKnown: (_, unit: Unit | null) => unit !== null,
    wasHeard: (_, recording: Recording) => recording.heard,
    askedEnough: ({ context }) => context.asked >= VISITOR_PATIENCE.asks,
    missedEnough: ({ context }) => context.missed + 1 >= VISITOR_PATIENCE.misses,
  },
}).createMachine({
  id: 'visitor',
  context: ({ input }) => ({
    callId: input.callId,
    transcribes: input.transcribes ?? false,
    bargesIn: input.bargesIn ?? false,
    welcome: input.welcome ?? null,
    purposeSaid: false,
    digits: '',
    question: ['ask-unit'],
    asked: 0,
    missed: 0,
    unit: null,
    identity: null,
    purpose: null,
    gaveUp: null,
  }),
  initial: 'greeting',
  states: {
    greeting: {
      invoke: {
        src: 'say',
        id: 'greet',
        input: ({ context }) => saying(context, greeting(context)),
        onDone: 'unit',
      },
      on: {
        'key.pressed': [
          { guard: 'isDigit', target: 'unit.collecting', actions: 'keepDigit' },
          { target: 'unit' },
        ],
      },
    },
    unit: {
      initial: 'asking',
      on: {
        'key.pressed': [
          { guard: 'isDigit', target: '.collecting', actions: 'keepDigit', reenter: false },
          { target: '.asking', actions: 'askUnit' },
        ],
      },
      states: {
        asking: {
          entry: 'countQuestion',
          invoke: {
            src: 'say',
            id: 'askUnit',
            input: ({ context }) => saying(context, context.question),
            onDone: 'waiting',
          },
          on: { 'speech.started': { guard: 'bargesIn', target: 'waiting.hearing' } },
        },
        waiting: {
          invoke: {
            src: 'listen',
            id: 'listen',
            input: ({ context }) => ({ callId: context.callId }),
            onDone: [
              {
                guard: { type: 'namesUnit', params: ({ event }) => event.output },
                target: '#visitor.identity',
                actions: [{ type: 'keepSpeech', params: ({ event }) => event.output }, 'askName'],
              },
              {
                guard: 'askedEnough',
                target: '#visitor.gaveUp',
                actions: assign({ gaveUp: 'unknown-unit' }),
              },
              { target: 'asking', actions: 'askUnitAgain' },
            ],
            // speech that cannot be transcribed leaves the keys
            onError: { target: '.quiet', actions: assign({ transcribes: false }) },
          },
          initial: 'quiet',
          states: {
            quiet: {
              invoke: {
                src: 'deadline',
                id: 'silence',
                input: () => inMs(VISITOR_PATIENCE.silenceMs),
                onDone: [
                  { guard: 'askedEnough', target: '#visitor.gaveUp', actions: assign({ gaveUp: 'silent' }) },
                  { target: '#visitor.unit.asking', actions: 'askUnitAgain' },
                ],
              },
              on: { 'speech.started': { guard: 'transcribes', target: 'hearing' } },
            },
            hearing: {
              description: 'somebody speaks; the silence is counted anew afterwards',
              invoke: {
                src: 'deadline',
                id: 'speechDeadline',
                input: () => inMs(VISITOR_PATIENCE.speechMs),
                onDone: 'quiet',
              },
            },
          },
        },
        collecting: {
          invoke: {
            src: 'deadline',
            id: 'digit',
            input: () => inMs(VISITOR_PATIENCE.digitMs),
            onDone: 'checking',
          },
          on: {
            'key.pressed': [
              { guard: 'isDigit', target: 'collecting', actions: 'keepDigit', reenter: true },
              { guard: 'isHash', target: 'checking' },
              { guard: 'isStar', target: 'asking', actions: 'askUnit' },
            ],
          },
        },
        checking: {
          invoke: {
            src: 'findUnit',
            id: 'findUnit',
            input: ({ context }) => ({ callId: context.callId, number: context.digits }),
            onDone: [
              {
                guard: { type: 'isKnown', params: ({ event }) => event.output },
                target: '#visitor.identity',
                actions: [assign({ unit: ({ event }) => event.output }), 'askName'],
              },
              {
                guard: 'missedEnough',
                target: '#visitor.gaveUp',
                actions: assign({ gaveUp: 'unknown-unit' }),
              },
              { target: 'asking', actions: 'tellUnknown' },
            ],
          },
          // keys that come while we look are part of the next question, not of this one
          on: { 'key.pressed': {} },
        },
      },
    },
    identity: {
      initial: 'asking',
      always: { guard: 'isIdentified', target: 'purpose', actions: 'askPurpose' },
      states: {
        asking: {
          entry: 'countQuestion',
          invoke: {
            src: 'say',
            id: 'askName',
            input: ({ context }) => saying(context, context.question),
            onDone: 'inviting',
          },
          on: {
            'key.pressed': [
              { guard: 'isStar', target: '#visitor.unit', actions: 'askUnit' },
              { target: 'inviting' },
            ],
          },
        },
        inviting: {
          invoke: {
            src: 'say',
            id: 'beep',
            input: ({ context }) => saying(context, ['beep']),
            onDone: 'recording',
          },
        },
        recording: {
          invoke: {
            src: 'record',
            id: 'recordName',
            input: ({ context }) => ({ callId: context.callId, role: 'visitor', name: 'identity' }),
            onDone: [
              {
                guard: { type: 'wasHeard', params: ({ event }) => event.output },
                target: '#visitor.purpose',
                actions: [assign({ identity: ({ event }) => event.output }), 'askPurpose'],
              },
              // somebody who keyed a unit but does not speak is still announced, without a name
              { guard: 'askedEnough', target: '#visitor.confirming' },
              { target: 'asking', actions: 'askNameAgain' },
            ],
          },
        },
      },
    },
    purpose: {
      initial: 'asking',
      always: { guard: 'saidPurpose', target: 'confirming' },
      states: {
        asking: {
          invoke: {
            src: 'say',
            id: 'askPurpose',
            input: ({ context }) => saying(context, context.question),
            onDone: 'inviting',
          },
          on: {
            'key.pressed': [
              { guard: 'isStar', target: '#visitor.unit', actions: 'askUnit' },
              { target: 'inviting' },
            ],
          },
        },
        inviting: {
          invoke: {
            src: 'say',
            id: 'beep',
            input: ({ context }) => saying(context, ['beep']),
            onDone: 'recording',
          },
        },
        recording: {
          invoke: {
            src: 'record',
            id: 'recordPurpose',
            input: ({ context }) => ({ callId: context.callId, role: 'visitor', name: 'purpose' }),
            onDone: {
              target: '#visitor.confirming',
              actions: assign({ purpose: ({ event }) => (event.output.heard ? event.output : null) }),
            },
          },
        },
      },
    },
    confirming: {
      invoke: {
        src: 'say',
        id: 'confirm',
        input: ({ context }) =>
          saying(context, ['calling-unit', { spell: context.unit?.number ?? '' }, 'please-wait']),
        onDone: 'ready',
      },
      on: {
        'key.pressed': [{ guard: 'isStar', target: 'unit', actions: 'askUnit' }, { target: 'ready' }],
      },
    },
    ready: { type: 'final' },
    gaveUp: { type: 'final' },
  },
  output: ({ context: { unit, identity, purpose, gaveUp } }) => ({ unit, identity, purpose, gaveUp }),
})

function greeting({ welcome }: VisitorContext): Piece[] {
  return welcome === null ? ['greeting'] : ['greeting', { speak: welcome }]
}

function keyOf(event: VisitorEvent): string {
  return event.type === 'key.pressed' ? event.key : ''
}

function saying({ callId }: { callId: string }, pieces: Piece[]) {
  return { callId, role: 'visitor' as const, pieces }
}
