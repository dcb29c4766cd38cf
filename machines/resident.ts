import { assign, sendTo, setup } from 'xstate'
import { type ListeningFact, type ListeningOutput, listeningMachine } from './listening.ts'
import { type Piece, type Recording, say } from './speech.ts'
import type { Unit } from './unit.ts'

/** ms and counts of the resident's dialogue. */
export const RESIDENT_PATIENCE = {
  /** Silence after the menu before it is repeated. */
  silenceMs: 8000,
  /** Maximum speech without a pause. */
  speechMs: 10_000,
  /** How often the menu is played to a resident who presses nothing. */
  asks: 2,
  /** How often a likely yes is asked back before the keys are explained. */
  confirmations: 1,
  /** How often the announcement is repeated to somebody who asks for it; then that counts as unclear. */
  repeats: 3,
  /** How often a yes is answered by asking for the key; then it counts as unclear. */
  keyRequests: 3,
  /** The unclear answer, by voice or key, that ends the dialogue. */
  unclear: 3,
}

export type Verdict = 'authorized' | 'denied'

/**
 * What a spoken answer means. Only clear words decide; a likely yes is asked back, and `yes-needs-key` for the key. `machine`: the
 * words of a mailbox or a carrier.
 */
export type SpokenAnswer =
  | 'yes'
  | 'likely-yes'
  | 'yes-needs-key'
  | 'no'
  | 'talk'
  | 'who'
  | 'machine'
  | 'unclear'

/** What the resident wants; `undecided` if they pressed and said nothing clear, `machine` if it is no resident. */
export type Answer = Verdict | 'talk' | 'machine' | 'undecided'

export interface ResidentInput {
  callId: string
  /** They know already that the gatehouse calls. */
  greeted?: boolean
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
  /** How often a likely yes was asked back. */
  confirmations: number
  /** How often the announcement was repeated because somebody asked for it. */
  repeats: number
  keyRequests: number
  unclear: number
  transcribes: boolean
  bargesIn: boolean
}

export type ResidentEvent = { type: 'key.pressed'; key: string } | { type: 'speech.started' } | ListeningFact

/** The keys of the menu; no other key decides. */
export const RESIDENT_KEYS = { authorize: '1', deny: '2', talk: '3', repeat: '4' } as const

const BY_KEY: Record<string, Answer> = {
  [RESIDENT_KEYS.authorize]: 'authorized',
  [RESIDENT_KEYS.deny]: 'denied',
  [RESIDENT_KEYS.talk]: 'talk',
}
/** The verdict that a key of the menu gives. */
export function verdictOf(key: string): Verdict | undefined {
  const answer = BY_KEY[key]
  return answer === 'authorized' || answer === 'denied' ? answer : undefined
}

const BY_WORD: Partial<Record<SpokenAnswer, Answer>> = {
  yes: 'authorized',
  no: 'denied',
  talk: 'talk',
  machine: 'machine',
}

const LIKELY_YES: (SpokenAnswer | null)[] = ['yes', 'likely-yes']

type Understood = ListeningOutput<SpokenAnswer>

/** The resident's dialogue: announces the visitor, then takes the decision by key or by a clear word. */
export const residentMachine = setup({
  types: {
    input: {} as ResidentInput,
    context: {} as ResidentContext,
    events: {} as ResidentEvent,
    output: {} as ResidentOutput,
  },
  actors: { say, listening: listeningMachine<SpokenAnswer>('listenToAnswer') },
  actions: {
    countMenu: assign({ asked: ({ context }) => context.asked + 1 }),
    repeat: assign({ asked: 0, repeats: ({ context }) => context.repeats + 1 }),
    countUnclear: assign({ unclear: ({ context }) => context.unclear + 1 }),
    countKeyRequest: assign({ keyRequests: ({ context }) => context.keyRequests + 1 }),
    countConfirmation: assign({ confirmations: ({ context }) => context.confirmations + 1 }),
    decide: assign((_, { answer, via }: ResidentOutput) => ({ answer, via })),
  },
  guards: {
    isDecision: ({ event }) => keyOf(event) in BY_KEY,
    isRepeat: ({ context, event }) => keyOf(event) === RESIDENT_KEYS.repeat && mayRepeat(context),
    isOther: ({ event }) => !(keyOf(event) in BY_KEY) && keyOf(event) !== RESIDENT_KEYS.repeat,
    unclearTooOften: ({ context }) => context.unclear + 1 >= RESIDENT_PATIENCE.unclear,
    bargesIn: ({ context }) => context.transcribes && context.bargesIn,
    decides: (_, { understood }: Understood) => understood !== null && understood in BY_WORD,
    needsKey: ({ context }, { understood }: Understood) =>
      understood === 'yes-needs-key' && context.keyRequests < RESIDENT_PATIENCE.keyRequests,
    mayConfirm: ({ context }, { understood }: Understood) =>
      LIKELY_YES.includes(understood) && context.confirmations < RESIDENT_PATIENCE.confirmations,
    endsAtOnce: (_, { understood }: Understood) => understood === 'talk' || understood === 'machine',
    refuses: (_, { understood }: Understood) => understood === 'no',
    asksWho: ({ context }, { understood }: Understood) => understood === 'who' && mayRepeat(context),
    isUnclear: (_, { understood }: Understood) => understood !== null,
    saysUnclearTooOften: ({ context }, { understood }: Understood) =>
      understood !== null && context.unclear + 1 >= RESIDENT_PATIENCE.unclear,
    askedEnough: ({ context }) => context.asked >= RESIDENT_PATIENCE.asks,
  },
}).createMachine({
  id: 'resident',
  context: ({ input }) => ({
    ...input,
    transcribes: input.transcribes ?? false,
    bargesIn: input.bargesIn ?? false,
    asked: 0,
    confirmations: 0,
    repeats: 0,
    keyRequests: 0,
    unclear: 0,
    answer: 'undecided',
    via: 'key',
  }),
  initial: 'announcing',
  on: {
    'key.pressed': [
      {
        guard: 'isDecision',
        target: '.decided',
        actions: { type: 'decide', params: ({ event }) => ({ answer: BY_KEY[event.key]!, via: 'key' }) },
      },
      { guard: 'isRepeat', target: '.announcing', actions: 'repeat', reenter: true },
      { guard: 'unclearTooOften', target: '.decided' },
      { target: '.deciding.explaining', actions: 'countUnclear', reenter: true },
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
      on: { 'speech.started': { guard: 'bargesIn', target: 'interrupted' } },
    },
    interrupted: {
      description: 'the resident speaks before the question, or goes on: a yes or a no may mean anything',
      invoke: {
        src: 'listening',
        id: 'hearOut',
        input: ({ context, event }) => listeningTo(context, event),
        onDone: [
          { guard: understood('endsAtOnce'), target: 'decided', actions: decideByVoice() },
          { guard: understood('asksWho'), target: 'announcing', actions: 'repeat' },
          { guard: understood('needsKey'), target: 'deciding.requestingKey' },
          { guard: understood('mayConfirm'), target: 'deciding.confirming' },
          { guard: understood('refuses'), target: 'deciding.reminding' },
          { guard: understood('saysUnclearTooOften'), target: 'decided' },
          { guard: understood('isUnclear'), target: 'deciding.explaining', actions: 'countUnclear' },
          { target: 'deciding.reminding' },
        ],
      },
      on: {
        'speech.started': { actions: sendTo('hearOut', { type: 'speech.started' }) },
        'speech.failed': { target: 'deciding.reminding', actions: assign({ transcribes: false }) },
      },
    },
    deciding: {
      initial: 'waiting',
      states: {
        waiting: {
          invoke: {
            src: 'listening',
            id: 'listening',
            input: ({ context, event }) => listeningTo(context, event),
            onDone: [
              { guard: understood('decides'), target: '#resident.decided', actions: decideByVoice() },
              { guard: understood('asksWho'), target: '#resident.announcing', actions: 'repeat' },
              { guard: understood('needsKey'), target: 'requestingKey' },
              { guard: understood('mayConfirm'), target: 'confirming' },
              { guard: understood('saysUnclearTooOften'), target: '#resident.decided' },
              { guard: understood('isUnclear'), target: 'explaining', actions: 'countUnclear' },
              { guard: 'askedEnough', target: '#resident.decided' },
              { target: 'reminding' },
            ],
          },
          on: {
            'speech.started': { actions: sendTo('listening', { type: 'speech.started' }) },
            'speech.failed': { actions: assign({ transcribes: false }) },
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
          on: { 'speech.started': { guard: 'bargesIn', target: 'waiting' } },
        },
        confirming: {
          description: 'a likely yes is asked back',
          entry: 'countConfirmation',
          invoke: {
            src: 'say',
            id: 'confirm',
            input: ({ context }) => saying(context, ['confirm-yes']),
            onDone: 'waiting',
          },
          on: { 'speech.started': { guard: 'bargesIn', target: 'waiting' } },
        },
        requestingKey: {
          description: 'the tenant lets nobody in by voice',
          entry: 'countKeyRequest',
          invoke: {
            src: 'say',
            id: 'requestKey',
            input: ({ context }) => saying(context, ['press-one']),
            onDone: 'waiting',
          },
          on: { 'speech.started': { guard: 'bargesIn', target: 'waiting' } },
        },
        explaining: {
          invoke: {
            src: 'say',
            id: 'explain',
            input: ({ context }) => saying(context, ['menu-again', 'menu']),
            onDone: 'waiting',
          },
          on: {
            // several keys in a row are one answer
            'key.pressed': { guard: 'isOther' },
            // "se for o João" was not understood, and the "pode entrar" behind it is no yes
            'speech.started': { guard: 'bargesIn', target: '#resident.interrupted' },
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

function mayRepeat({ repeats }: ResidentContext): boolean {
  return repeats < RESIDENT_PATIENCE.repeats
}

type ListeningDone = { event: { output: Understood } }

/** The guard of that name, asked about what was understood. */
function understood<Name extends string>(type: Name) {
  return { type, params: ({ event }: ListeningDone) => event.output }
}

function decideByVoice() {
  return {
    type: 'decide' as const,
    params: ({ event }: ListeningDone): ResidentOutput => ({
      answer: BY_WORD[event.output.understood!]!,
      via: 'voice',
    }),
  }
}

function listeningTo({ callId, transcribes }: ResidentContext, event: { type: string }) {
  return {
    callId,
    transcribes,
    speaks: event.type === 'speech.started',
    silenceMs: RESIDENT_PATIENCE.silenceMs,
    speechMs: RESIDENT_PATIENCE.speechMs,
  }
}

function announcement({ unit, identity, purpose, greeted, asked }: ResidentContext): Piece[] {
  const who: Piece[] = identity ? ['visitor-name', { recording: 'identity' }] : ['visitor-unnamed']
  const why: Piece[] = purpose ? ['visitor-purpose', { recording: 'purpose' }] : []
  const greeting: Piece[] = greeted && asked === 1 ? [] : ['resident-greeting']
  if (!unit) return [...greeting, 'visitor-cut-off', 'menu']
  return [...greeting, 'visitor-at-gate', { spell: unit.number }, ...who, ...why, 'menu']
}

function saying({ callId }: { callId: string }, pieces: Piece[]) {
  return { callId, role: 'resident' as const, pieces }
}
