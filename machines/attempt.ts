import { assign, type ErrorActorEvent, sendParent, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { lastingPort, port } from './port.ts'
import type { Unit } from './unit.ts'

/** Somebody who may be called for a unit. */
export interface Contact {
  residentId: string
  name: string
  number: string
}

export interface DialRequest {
  callId: string
  /** One id an attempt, so that a request that is delivered twice rings once. */
  attemptId: string
  contact: Contact
  unit: Unit
  /** ms from the request until the telephone stops ringing. */
  ringMs: number
}

/**
 * Why a telephone rings no more without an answer. `failed` is a request that was not accepted, `unallocated` a number that the
 * PBX does not know, `hopeless` a dialer that can call nobody any more.
 */
export type RingEnd = 'unanswered' | 'busy' | 'declined' | 'unallocated' | 'congested' | 'failed' | 'hopeless'

/** What the PBX reports of a telephone that was asked to ring. */
export type RingResult = { type: 'ring.ended'; end: Exclude<RingEnd, 'hopeless'> }

/** What an attempt tells the search. */
export type AttemptFact =
  | { type: 'attempt.ringing'; attemptId: string }
  | { type: 'attempt.ended'; attemptId: string; end: RingEnd }

export interface AttemptContext extends DialRequest {
  end: RingEnd
}

/**
 * One attempt to call one telephone: requested, ringing, and ended with a reason. An answer is not its business: the resident's
 * leg arrives at the call, and the search then stops this machine, which cancels what still rings.
 */
export const attemptMachine = setup({
  types: {
    input: {} as DialRequest,
    context: {} as AttemptContext,
    events: {} as RingResult,
  },
  actors: {
    deadline,
    /** Resolves when the request to ring was accepted; rejects when it cannot be done. */
    dial: port<void, DialRequest>('dial'),
    /** Lasts while the telephone rings, and reports why it rings no more. On exit it cancels what still rings. */
    ring: lastingPort<DialRequest, RingResult>('ring'),
  },
  actions: {
    end: assign((_, end: RingEnd) => ({ end })),
    tellRinging: sendParent(
      ({ context }): AttemptFact => ({ type: 'attempt.ringing', attemptId: context.attemptId }),
    ),
    tellEnded: sendParent(
      ({ context: { attemptId, end } }): AttemptFact => ({ type: 'attempt.ended', attemptId, end }),
    ),
  },
  guards: {
    /** Nobody can be called any more: the code that a dialer rejects with once it has failed for good. */
    isHopeless: (_, error: unknown) =>
      typeof error === 'object' && error !== null && 'code' in error && error.code === 'DIALER_FAILED',
  },
}).createMachine({
  id: 'attempt',
  context: ({ input }) => ({ ...input, end: 'failed' }),
  invoke: {
    src: 'deadline',
    id: 'ringDeadline',
    input: ({ context }) => inMs(context.ringMs),
    onDone: '.over',
  },
  initial: 'dialing',
  states: {
    dialing: {
      invoke: {
        src: 'dial',
        id: 'dial',
        input: ({ context }) => requestOf(context),
        onDone: 'ringing',
        onError: [
          {
            guard: { type: 'isHopeless', params: ({ event }: { event: ErrorActorEvent }) => event.error },
            target: 'over',
            actions: { type: 'end', params: 'hopeless' },
          },
          { target: 'over' },
        ],
      },
    },
    ringing: {
      entry: [{ type: 'end', params: 'unanswered' }, 'tellRinging'],
      invoke: { src: 'ring', id: 'ring', input: ({ context }) => requestOf(context) },
      on: {
        'ring.ended': { target: 'over', actions: { type: 'end', params: ({ event }) => event.end } },
      },
    },
    over: { type: 'final', entry: 'tellEnded' },
  },
})

function requestOf({ callId, attemptId, contact, unit, ringMs }: AttemptContext): DialRequest {
  return { callId, attemptId, contact, unit, ringMs }
}
