import { assign, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { listening, type Piece, type Recording, say } from './speech.ts'
import type { Unit } from './visitor.ts'

/** ms and counts of the resident's dialogue. */
export const RESIDENT_PATIENCE = {
  /** Silence after the menu before it is read once more. */
  silenceMs: 8000,
  /** The longest that somebody may speak without a pause. */
  speechMs: 10_000,
  /** How often the menu is read to somebody who presses nothing. */
  asks: 2,
}

export type Verdict = 'authorized' | 'denied'

/** What a spoken answer means; only clear words decide. */
export type SpokenAnswer = 'yes' | 'no' | 'talk' | 'who' | 'unclear'

/** What the resident wants; `undecided` when nothing was pressed. */
export type Answer = Verdict | 'talk' | 'undecided'

export interface ResidentInput {
  callId: string
  unit: Unit | null
  identity: Recording | null
  purpose: Recording | null
  /** Whether speech is transcribed; otherwise only keys decide. */
  transcribes?: boolean
  /** Whether speech interrupts the announcement; otherwise only a key does. */
  bargesIn?: boolean
}

export interface ResidentOutput {
  answer: Answer
  via: 'key' | 'voice'
}

export interface ResidentContext extends ResidentInput, ResidentOutput {
  asked: number
  transcribes: boolean
  bargesIn: boolean
}

export type ResidentEvent = { type: 'key.pressed'; key: string } | { type: 'speech.started' }

/** The keys of the menu, and nothing else, decide. */
export const RESIDENT_KEYS = { authorize: '1', deny: '2', talk: '3', repeat: '4' } as const

/** The resident's dialogue: hears who is there, then decides by key. */
export const residentMachine = setup({
  types: {
    input: {} as ResidentInput,
    context: {} as ResidentContext,
    events: {} as ResidentEvent,
    output: {} as ResidentOutput,
  },
  actors: { say, deadline, listen: listening<SpokenAnswer>('listenToAnswer') },
  actions: {
    countMenu: assign({ asked: ({ context }) => context.asked + 1 }),
    startOver: assign({ asked: 0 }),
    decide: assign((_, { answer, via }: { answer: Answer; via: 'key' | 'voice' }) => ({ answer, via })),
  },
  guards: {
    isAuthorize: ({ event }) => keyOf(event) === RESIDENT_KEYS.authorize,
    isDeny: ({ event }) => keyOf(event) === RESIDENT_KEYS.deny,
    isTalk: ({ event }) => keyOf(event) === RESIDENT_KEYS.talk,
    isRepeat: ({ event }) => keyOf(event) === RESIDENT_KEYS.repeat,
    transcribes: ({ context }) => context.transcribes,
    bargesIn: ({ context }) => context.transcribes && context.bargesIn,
    saysYes: (_, answer: SpokenAnswer) => answer === 'yes',
    saysNo: (_, answer: SpokenAnswer) => answer === 'no',
    saysTalk: (_, answer: SpokenAnswer) => answer === 'talk',
    asksWho: (_, answer: SpokenAnswer) => answer === 'who',
    askedEnough: ({ context }) => context.asked >= RESIDENT_PATIENCE.asks,
  },
}).createMachine({
  id: 'resident',
  context: ({ input }) => ({
    ...input,
    transcribes: input.transcribes ?? false,
    bargesIn: input.bargesIn ?? false,
    asked: 0,
    answer: 'undecided',
    via: 'key',
  }),
  initial: 'announcing',
  on: {
    'key.pressed': [
      {
        guard: 'isAuthorize',
        target: '.decided',
        actions: { type: 'decide', params: { answer: 'authorized', via: 'key' } },
      },
      {
        guard: 'isDeny',
        target: '.decided',
        actions: { type: 'decide', params: { answer: 'denied', via: 'key' } },
      },
      {
        guard: 'isTalk',
        target: '.decided',
        actions: { type: 'decide', params: { answer: 'talk', via: 'key' } },
      },
      { guard: 'isRepeat', target: '.announcing', actions: 'startOver', reenter: true },
      { target: '.deciding.explaining', reenter: true },
    ],
  },
  states: {
    announcing: {
      entry: 'countMenu',
      invoke: {
        src: 'say',
        id: 'announce',
        input: ({ context }) => saying(context, announcement(context)),
        onDone: 'deciding',
      },
      on: { 'speech.started': { guard: 'bargesIn', target: 'deciding.waiting.hearing' } },
    },
    deciding: {
      initial: 'waiting',
      states: {
        waiting: {
          invoke: {
            src: 'listen',
            id: 'listen',
            input: ({ context }) => ({ callId: context.callId }),
            onDone: [
              {
                guard: { type: 'saysYes', params: ({ event }) => event.output },
                target: '#resident.decided',
                actions: { type: 'decide', params: { answer: 'authorized', via: 'voice' } },
              },
              {
                guard: { type: 'saysNo', params: ({ event }) => event.output },
                target: '#resident.decided',
                actions: { type: 'decide', params: { answer: 'denied', via: 'voice' } },
              },
              {
                guard: { type: 'saysTalk', params: ({ event }) => event.output },
                target: '#resident.decided',
                actions: { type: 'decide', params: { answer: 'talk', via: 'voice' } },
              },
              {
                guard: { type: 'asksWho', params: ({ event }) => event.output },
                target: '#resident.announcing',
                actions: 'startOver',
              },
              { target: 'explaining' },
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
                input: () => inMs(RESIDENT_PATIENCE.silenceMs),
                onDone: [
                  { guard: 'askedEnough', target: '#resident.decided' },
                  { target: '#resident.deciding.reminding' },
                ],
              },
              on: { 'speech.started': { guard: 'transcribes', target: 'hearing' } },
            },
            hearing: {
              description: 'somebody speaks; the silence is counted anew afterwards',
              invoke: {
                src: 'deadline',
                id: 'speechDeadline',
                input: () => inMs(RESIDENT_PATIENCE.speechMs),
                onDone: 'quiet',
              },
            },
          },
        },
        reminding: {
          entry: 'countMenu',
          invoke: {
            src: 'say',
            id: 'remind',
            input: ({ context }) => saying(context, ['menu']),
            onDone: 'waiting',
          },
        },
        explaining: {
          invoke: {
            src: 'say',
            id: 'explain',
            input: ({ context }) => saying(context, ['menu-again', 'menu']),
            onDone: 'waiting',
          },
        },
      },
    },
    decided: { type: 'final' },
  },
  output: ({ context: { answer, via } }) => ({ answer, via }),
})

function keyOf(event: ResidentEvent): string {
  return event.type === 'key.pressed' ? event.key : ''
}

function announcement({ unit, identity, purpose }: ResidentContext): Piece[] {
  const who: Piece[] = identity ? ['visitor-name', { recording: 'identity' }] : ['visitor-unnamed']
  const why: Piece[] = purpose ? ['visitor-purpose', { recording: 'purpose' }] : []
  return ['resident-greeting', 'visitor-at-gate', { spell: unit?.number ?? '' }, ...who, ...why, 'menu']
}

function saying({ callId }: { callId: string }, pieces: Piece[]) {
  return { callId, role: 'resident' as const, pieces }
}
