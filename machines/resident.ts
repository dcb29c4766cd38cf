import { assign, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { type Piece, type Recording, say } from './speech.ts'
import type { Unit } from './visitor.ts'

/** ms and counts of the resident's dialogue. */
export const RESIDENT_PATIENCE = {
  /** Silence after the menu before it is read once more. */
  silenceMs: 8000,
  /** How often the menu is read to somebody who presses nothing. */
  asks: 2,
}

export type Verdict = 'authorized' | 'denied'

/** What the resident wants; `undecided` when nothing was pressed. */
export type Answer = Verdict | 'talk' | 'undecided'

export interface ResidentInput {
  callId: string
  unit: Unit | null
  identity: Recording | null
  purpose: Recording | null
}

interface ResidentContext extends ResidentInput {
  asked: number
  answer: Answer
}

export type ResidentEvent = { type: 'key.pressed'; key: string }

/** The keys of the menu, and nothing else, decide. */
export const RESIDENT_KEYS = { authorize: '1', deny: '2', talk: '3', repeat: '4' } as const

/** The resident's dialogue: hears who is there, then decides by key. */
export const residentMachine = setup({
  types: {
    input: {} as ResidentInput,
    context: {} as ResidentContext,
    events: {} as ResidentEvent,
    output: {} as { answer: Answer },
  },
  actors: { say, deadline },
  actions: {
    countMenu: assign({ asked: ({ context }) => context.asked + 1 }),
    startOver: assign({ asked: 0 }),
  },
  guards: {
    isAuthorize: ({ event }) => event.key === RESIDENT_KEYS.authorize,
    isDeny: ({ event }) => event.key === RESIDENT_KEYS.deny,
    isTalk: ({ event }) => event.key === RESIDENT_KEYS.talk,
    isRepeat: ({ event }) => event.key === RESIDENT_KEYS.repeat,
    askedEnough: ({ context }) => context.asked >= RESIDENT_PATIENCE.asks,
  },
}).createMachine({
  id: 'resident',
  context: ({ input }) => ({ ...input, asked: 0, answer: 'undecided' }),
  initial: 'announcing',
  on: {
    'key.pressed': [
      { guard: 'isAuthorize', target: '.decided', actions: assign({ answer: 'authorized' }) },
      { guard: 'isDeny', target: '.decided', actions: assign({ answer: 'denied' }) },
      { guard: 'isTalk', target: '.decided', actions: assign({ answer: 'talk' }) },
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
    },
    deciding: {
      initial: 'waiting',
      states: {
        waiting: {
          invoke: {
            src: 'deadline',
            id: 'silence',
            input: () => inMs(RESIDENT_PATIENCE.silenceMs),
            onDone: [{ guard: 'askedEnough', target: '#resident.decided' }, { target: 'reminding' }],
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
  output: ({ context }) => ({ answer: context.answer }),
})

function announcement({ unit, identity, purpose }: ResidentContext): Piece[] {
  const who: Piece[] = identity ? ['visitor-name', { recording: 'identity' }] : ['visitor-unnamed']
  const why: Piece[] = purpose ? ['visitor-purpose', { recording: 'purpose' }] : []
  return ['resident-greeting', 'visitor-at-gate', { spell: unit?.number ?? '' }, ...who, ...why, 'menu']
}

function saying({ callId }: { callId: string }, pieces: Piece[]) {
  return { callId, role: 'resident' as const, pieces }
}
