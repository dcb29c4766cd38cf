import { assign, sendParent, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { lastingPort, port } from './port.ts'
import type { Role } from './speech.ts'

export interface LegInput {
  callId: string
  role: Role
  /** ms between our hangup and closing the socket ourselves. */
  graceMs: number
}

/** Facts of the leg's media, and commands of its call. */
export type LegEvent =
  | { type: 'key.pressed'; key: string }
  | { type: 'speech.started' }
  /** An utterance has ended; `ms` is its length. */
  | { type: 'speech.ended'; ms: number }
  /** A steady tone, as a mailbox plays before it records. */
  | { type: 'beep.heard' }
  | { type: 'saying' }
  | { type: 'said' }
  | { type: 'hungUp'; how: HungUp }
  | { type: 'leg.hangUp' }
  | { type: 'call.restored' }

/**
 * How a leg ended. `fin`, `rst`, `hangup` (0x00) and `error` come from the other side. `us`: we closed it. `lost`: it ended with
 * the process that had it, as a restored call finds out.
 */
export type HungUp = 'fin' | 'rst' | 'hangup' | 'error' | 'us' | 'lost'

export interface LegContext extends LegInput {
  /** We hung up; the other side only closes. */
  asked: boolean
}

export interface LegRef {
  callId: string
  role: Role
}

/** Facts that a leg sends to its call. The role is in the name, so that charts read `visitor.hungUp`. */
export type LegFact =
  | { type: 'visitor.key.pressed' | 'resident.key.pressed'; key: string }
  | { type: 'visitor.speech.started' | 'resident.speech.started' }
  | { type: 'visitor.speech.ended' | 'resident.speech.ended'; ms: number }
  | { type: 'visitor.beep.heard' | 'resident.beep.heard' }
  /** We begin to say something to this leg, or have said it. */
  | { type: 'visitor.saying' | 'resident.saying' | 'visitor.said' | 'resident.said' }
  | { type: 'visitor.hungUp' | 'resident.hungUp'; how: HungUp }
  | { type: 'visitor.forced' | 'resident.forced' }

/**
 * One leg of a call, from its first frame to its closed socket. Frames never come here: the leg's media takes them and reports
 * facts through `hear`.
 */
export const legMachine = setup({
  types: { input: {} as LegInput, context: {} as LegContext, events: {} as LegEvent },
  actors: {
    hear: lastingPort<LegRef, LegEvent>('hear'),
    hangUp: port<void, LegRef>('hangUp'),
    release: port<void, LegRef>('release'),
    deadline,
  },
  actions: {
    tellKey: sendParent(({ context, event }) => ({
      type: `${context.role}.key.pressed`,
      key: event.type === 'key.pressed' ? event.key : '',
    })),
    tellSpeech: sendParent(({ context }) => ({ type: `${context.role}.speech.started` })),
    tellSpeechEnded: sendParent(({ context, event }) => ({
      type: `${context.role}.speech.ended`,
      ms: event.type === 'speech.ended' ? event.ms : 0,
    })),
    tellBeep: sendParent(({ context }) => ({ type: `${context.role}.beep.heard` })),
    tellSaying: sendParent(({ context }) => ({ type: `${context.role}.saying` })),
    tellSaid: sendParent(({ context }) => ({ type: `${context.role}.said` })),
    tellForced: sendParent(({ context }) => ({ type: `${context.role}.forced` })),
    tellHungUp: sendParent(({ context, event }) => ({
      type: `${context.role}.hungUp`,
      how: howOf(context.asked, event),
    })),
  },
}).createMachine({
  id: 'leg',
  context: ({ input }) => ({ ...input, asked: false }),
  invoke: { src: 'hear', id: 'hear', input: ({ context }) => refOf(context) },
  initial: 'connected',
  on: { hungUp: '.gone' },
  states: {
    connected: {
      initial: 'listening',
      on: {
        'key.pressed': { actions: 'tellKey' },
        'speech.started': { actions: 'tellSpeech' },
        'speech.ended': { actions: 'tellSpeechEnded' },
        'beep.heard': { actions: 'tellBeep' },
        'leg.hangUp': { target: 'hangingUp', actions: assign({ asked: true }) },
      },
      states: {
        // an utterance that interrupts another begins before that one is said
        listening: {
          on: { saying: { target: 'speaking', actions: 'tellSaying' }, said: { actions: 'tellSaid' } },
        },
        speaking: {
          on: { saying: { actions: 'tellSaying' }, said: { target: 'listening', actions: 'tellSaid' } },
        },
      },
    },
    hangingUp: {
      description: '0x00 is on its way; Asterisk answers by closing the socket',
      // the 0x00 went to a connection that is gone
      on: { 'call.restored': { target: 'hangingUp', reenter: true } },
      invoke: [
        { src: 'hangUp', id: 'hangUp', input: ({ context }) => refOf(context) },
        {
          src: 'deadline',
          id: 'grace',
          input: ({ context, self }) => inMs(self, context.graceMs),
          onDone: 'forcing',
        },
      ],
    },
    forcing: {
      description: 'the other side did not close: we do',
      entry: 'tellForced',
      invoke: { src: 'release', id: 'release', input: ({ context }) => refOf(context), onDone: 'gone' },
    },
    gone: { type: 'final', entry: 'tellHungUp' },
  },
})

/** Whoever closes after our 0x00, it was us who hung up. */
function howOf(asked: boolean, event: LegEvent): HungUp {
  if (event.type !== 'hungUp') return 'us'
  return asked && event.how !== 'lost' ? 'us' : event.how
}

function refOf({ callId, role }: LegRef): LegRef {
  return { callId, role }
}
