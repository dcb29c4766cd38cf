import { assign, setup, stateIn } from 'xstate'
import { clockOf } from './clock.ts'
import { type Deadline, deadline, inMs } from './deadline.ts'
import { lastingPort } from './port.ts'
import { listening, type Piece, say } from './speech.ts'
import type { Unit } from './unit.ts'

/**
 * How a human is distinguished from a mailbox. `natural`: who says a short hello and then listens is one; who says nothing is asked for a key
 * or a hello. `key`: only a key counts. `off`: whoever answers counts.
 */
export type AnswerCheck = 'natural' | 'key' | 'off'

/** ms from which speech and silence right after an answer tell machines from people. */
export const PROVING = {
  /** Silence after the answer before Porteiro speaks. */
  silenceMs: 2000,
  /** The length of one utterance right after the answer that only machines reach: people say hello and then listen. */
  speechMs: 3500,
  /** The same for all that is said before the proof. */
  totalMs: 4500,
  /** Somebody who talks over Porteiro has at least this long. */
  interruptionMs: 1500,
  /** Silence after a hello to the question, which a person keeps. */
  listenMs: 1000,
  /** Silence after the question for a key or a hello. */
  replyMs: 5000,
  /** Silence of the keys after a key: who plays with them decides nothing by it. */
  keyMs: 1000,
  /** How often somebody is asked who says nothing. */
  asks: 2,
  /** From the answer until a line without a proof is let go, whatever is said on it. */
  limitMs: 30_000,
}

/** Who is on the line by the words of a greeting. */
export type Greeting = 'person' | 'machine' | 'unknown'

/** Who is on the line by the PBX's own detection (`AMD()` of Asterisk). */
export type Screened = 'person' | 'machine'

export type ScreeningFact = { type: 'line.screened'; answeredBy: Screened }

export interface ProvingInput {
  callId: string
  unit: Unit | null
  check: AnswerCheck
  /** Whether speech is transcribed. */
  transcribes: boolean
  /** Whether a machine gets a short message after its beep. */
  leavesMessage: boolean
}

export interface ProvingOutput {
  answeredBy: 'person' | 'machine' | 'nobody'
  /** Whoever is on the line knows already that the gatehouse calls. */
  greeted: boolean
}

export interface ProvingContext extends ProvingInput, ProvingOutput {
  /** ms of speech heard so far, of utterances that have ended. */
  spokenMs: number
  /** When the utterance began that is being heard, ms since the epoch. */
  speakingSince: number
  asked: number
}

export type ProvingEvent =
  | { type: 'key.pressed'; key: string }
  | { type: 'speech.started' }
  /** An utterance has ended; `ms` is its length. */
  | { type: 'speech.ended'; ms: number }
  /** A steady tone, as a mailbox plays before it records. */
  | { type: 'beep.heard' }
  | ScreeningFact

/**
 * Makes sure of a human before anything private is said. It hears how the answer begins, greets who has said hello, and asks who
 * says nothing. Who goes on talking instead of listening is a machine, and so is a beep.
 */
export const provingMachine = setup({
  types: {
    input: {} as ProvingInput,
    context: {} as ProvingContext,
    events: {} as ProvingEvent,
    output: {} as ProvingOutput,
  },
  actors: {
    say,
    deadline,
    /** What the words of the greeting tell; never resolves where speech is not transcribed. */
    listenToGreeting: listening<Greeting>('listenToGreeting'),
    /** Lasts as long as the proof, and reports what the PBX has detected or still detects. */
    screen: lastingPort<{ callId: string }, ScreeningFact>('screen'),
  },
  actions: {
    countAsking: assign({ asked: ({ context }) => context.asked + 1 }),
    beginSpeech: assign(({ self }) => ({ speakingSince: clockOf(self).now() })),
    countSpeech: assign(({ context }, ms: number) => ({ spokenMs: context.spokenMs + ms })),
    conclude: assign(({ context }, answeredBy: ProvingOutput['answeredBy']) => ({
      answeredBy,
      greeted: context.greeted || context.asked > 0,
    })),
  },
  guards: {
    isOff: ({ context }) => context.check === 'off',
    wantsKey: ({ context }) => context.check === 'key',
    isTooLong: ({ context }, ms: number) =>
      ms >= PROVING.speechMs || context.spokenMs + ms >= PROVING.totalMs,
    mayAsk: ({ context }) => context.asked < PROVING.asks,
    leavesMessage: ({ context }) => context.leavesMessage,
    isMachine: (_, who: Greeting) => who === 'machine',
    isPerson: (_, who: Screened) => who === 'person',
    provesPerson: ({ context }, who: Greeting) => who === 'person' && context.check === 'natural',
  },
}).createMachine({
  id: 'proving',
  context: ({ input }) => ({
    ...input,
    spokenMs: 0,
    speakingSince: 0,
    asked: 0,
    answeredBy: 'nobody',
    greeted: false,
  }),
  invoke: [
    {
      src: 'deadline',
      id: 'proofDeadline',
      input: ({ self }) => inMs(self, PROVING.limitMs),
      onDone: '.over',
    },
    {
      src: 'listenToGreeting',
      id: 'listenToGreeting',
      input: ({ context: { callId } }) => ({ callId }),
      onDone: [
        // a key has proven the person, whatever was said before
        { guard: stateIn('pressing') },
        {
          guard: { type: 'isMachine', params: ({ event }) => event.output },
          target: '.machine',
        },
        // the greeting is being said, and proves the person at its end
        { guard: stateIn('greeting') },
        {
          guard: { type: 'provesPerson', params: ({ event }) => event.output },
          target: '.person',
        },
      ],
      onError: {},
    },
    { src: 'screen', id: 'screen', input: ({ context: { callId } }) => ({ callId }) },
  ],
  on: {
    'key.pressed': '.pressing',
    'line.screened': [
      // its beep is waited for
      { guard: 'leavesMessage' },
      { guard: screened('isMachine'), target: '.machine' },
    ],
    'beep.heard': [{ guard: 'leavesMessage', target: '.leaving' }, { target: '.machine' }],
  },
  initial: 'answered',
  states: {
    answered: {
      always: [
        { guard: 'isOff', target: 'person' },
        { guard: 'wantsKey', target: 'asking' },
        { target: 'listening' },
      ],
    },
    listening: {
      description: 'whoever answers says hello first',
      invoke: {
        src: 'deadline',
        id: 'silence',
        input: ({ self }) => inMs(self, PROVING.silenceMs),
        onDone: 'asking',
      },
      on: {
        'speech.started': { target: 'hearing', actions: 'beginSpeech' },
        // the PBX has heard the hello
        'line.screened': { guard: screened('isPerson'), target: 'greeting' },
      },
    },
    hearing: {
      invoke: {
        src: 'deadline',
        id: 'speechDeadline',
        input: ({ context }) => talksUntil(context),
        onDone: 'machine',
      },
      on: {
        'speech.ended': [
          { guard: tooLong(), target: 'machine' },
          { target: 'greeting', actions: counted() },
        ],
      },
    },
    greeting: {
      description: 'nothing private is said yet; a person listens now, a machine talks on',
      invoke: {
        src: 'say',
        id: 'greet',
        input: ({ context }) => saying(context, greeting(context)),
        onDone: [
          { guard: 'wantsKey', target: 'waiting' },
          { target: 'person', actions: assign({ greeted: true }) },
        ],
      },
      on: { 'speech.started': { target: 'hearing', actions: 'beginSpeech' } },
    },
    asking: {
      entry: 'countAsking',
      invoke: {
        src: 'say',
        id: 'ask',
        input: ({ context }) => saying(context, question(context)),
        onDone: [{ guard: stateIn({ asking: 'doubting' }), target: 'hearing' }, { target: 'waiting' }],
      },
      initial: 'speaking',
      states: {
        speaking: { on: { 'speech.started': { target: 'doubting', actions: 'beginSpeech' } } },
        doubting: {
          description: 'somebody talks over the question',
          invoke: {
            src: 'deadline',
            id: 'doubtDeadline',
            input: ({ context }) => talksUntil(context),
            onDone: '#proving.machine',
          },
          on: {
            'speech.ended': [
              { guard: tooLong(), target: '#proving.machine' },
              { guard: 'wantsKey', target: 'speaking', actions: counted() },
              { target: '#proving.greeting', actions: counted() },
            ],
          },
        },
      },
    },
    waiting: {
      invoke: {
        src: 'deadline',
        id: 'reply',
        input: ({ self }) => inMs(self, PROVING.replyMs),
        onDone: [{ guard: 'mayAsk', target: 'asking' }, { target: 'over' }],
      },
      on: { 'speech.started': { target: 'hearing', actions: 'beginSpeech' } },
    },
    pressing: {
      description: 'a key proves a person; more keys may follow at once, and are none of the menu',
      invoke: {
        src: 'deadline',
        id: 'keyDeadline',
        input: ({ self }) => inMs(self, PROVING.keyMs),
        onDone: 'person',
      },
      on: {
        'key.pressed': { target: 'pressing', reenter: true },
        // the PBX has judged the sound before the key
        'line.screened': {},
      },
    },
    leaving: {
      description: 'a short neutral message, because the tenant wants one left',
      invoke: {
        src: 'say',
        id: 'leaveMessage',
        input: ({ context }) => saying(context, ['mailbox-message']),
        onDone: 'machine',
      },
      on: { 'key.pressed': {}, 'beep.heard': {} },
    },
    person: { entry: { type: 'conclude', params: 'person' }, always: 'over' },
    machine: { entry: { type: 'conclude', params: 'machine' }, always: 'over' },
    over: { type: 'final' },
  },
  output: ({ context: { answeredBy, greeted } }) => ({ answeredBy, greeted }),
})

/** When somebody who goes on talking is taken for a machine. */
function talksUntil({ spokenMs, speakingSince }: ProvingContext): Deadline {
  const ms = spokenMs === 0 ? PROVING.speechMs : Math.max(PROVING.totalMs - spokenMs, PROVING.interruptionMs)
  return { at: speakingSince + ms }
}

/** A person listens to it. Whoever was asked knows the gatehouse already, and gets a moment of silence. */
function greeting({ asked }: ProvingContext): Piece[] {
  return asked === 0 ? ['resident-greeting'] : [{ pause: PROVING.listenMs }]
}

function tooLong() {
  return { type: 'isTooLong', params: ({ event }: { event: { ms: number } }) => event.ms } as const
}

function screened<Name extends string>(type: Name) {
  return { type, params: ({ event }: { event: ScreeningFact }) => event.answeredBy } as const
}

function counted() {
  return { type: 'countSpeech', params: ({ event }: { event: { ms: number } }) => event.ms } as const
}

function question({ unit, check }: ProvingContext): Piece[] {
  return [
    'resident-greeting',
    ...(unit ? ['call-for-unit', { spell: unit.number }] : []),
    check === 'key' ? 'press-any-key' : 'press-or-say-hello',
  ]
}

function saying({ callId }: { callId: string }, pieces: Piece[]) {
  return { callId, role: 'resident' as const, pieces }
}
