import { assign, type ErrorActorEvent, sendParent, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { lastingPort, port } from './port.ts'
import type { Unit } from './unit.ts'

/** A person who may be called for a unit. */
export interface Contact {
  residentId: string
  name: string
  number: string
}

export interface DialRequest {
  callId: string
  /** One id an attempt, so that a request that is delivered twice places one call. */
  attemptId: string
  contact: Contact
  /** Null where the operator is called for a visitor whose unit nobody knows. */
  unit: Unit | null
  /** ms from the request until the telephone stops ringing. */
  ringMs: number
}

/**
 * Why a telephone stopped ringing without an answer. `failed`: the request was not accepted. `unallocated`: the PBX does not
 * know the number. `hopeless`: the dialer has failed for good.
 */
export type RingEnd = 'unanswered' | 'busy' | 'declined' | 'unallocated' | 'congested' | 'failed' | 'hopeless'

/** The result that the PBX reports for a call. */
export type RingResult = { type: 'ring.ended'; end: Exclude<RingEnd, 'hopeless'> }

/** Facts that an attempt sends to the search. */
export type AttemptFact =
  | { type: 'attempt.ringing'; attemptId: string }
  | { type: 'attempt.ended'; attemptId: string; end: RingEnd }

export interface AttemptContext extends DialRequest {
  end: RingEnd
}

/**
 * One attempt to call one telephone: requested, ringing, ended with a reason. An answer goes to the call, as the resident's leg;
 * the search then stops this machine, which cancels a call that still rings.
 */
export const attemptMachine = setup({
  types: {
    input: {} as DialRequest,
    context: {} as AttemptContext,
    events: {} as RingResult,
  },
  actors: {
    deadline,
    /** Resolves when the request to call was accepted; rejects when it failed. */
    dial: port<void, DialRequest>('dial'),
    /** Lasts while the telephone rings, and reports why it stopped. Cancels the call on exit if it still rings. */
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
    /** The dialer has failed for good and rejects every request with this code. */
    isHopeless: (_, error: unknown) =>
      typeof error === 'object' && error !== null && 'code' in error && error.code === 'DIALER_FAILED',
  },
}).createMachine({
  id: 'attempt',
  context: ({ input }) => ({ ...input, end: 'failed' }),
  invoke: {
    src: 'deadline',
    id: 'ringDeadline',
    input: ({ context, self }) => inMs(self, context.ringMs),
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
