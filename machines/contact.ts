import { assign, type ErrorActorEvent, sendParent, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { lastingPort, port } from './port.ts'
import { say } from './speech.ts'
import type { Unit } from './visitor.ts'

/** Somebody who may be rung for a unit. */
export interface Contact {
  residentId: string
  name: string
  number: string
}

/** One time that somebody is rung: the tenant's contact plan, written out. */
export interface Attempt {
  /** Who it is: somebody of the unit, or the operator in their place. */
  kind: 'call' | 'operator'
  contact: Contact
  ringMs: number
}

export interface ContactInput {
  callId: string
  unit: Unit
  /** In their order. */
  attempts: Attempt[]
  /** ms between two attempts. */
  pauseMs: number
}

/** What the call learns: who is being rung now. */
export interface ContactFact {
  type: 'contact.ringing'
  kind: Attempt['kind']
}

export interface DialRequest {
  callId: string
  /** One id an attempt, so that a request that is delivered twice rings once. */
  attemptId: string
  contact: Contact
  unit: Unit
  ringMs: number
}

export interface ContactContext extends ContactInput {
  /** How many attempts were begun. */
  begun: number
  /** How many attempts rang; none at all means that the resident cannot be reached. */
  rings: number
}

/** Nobody came on the line: it rang in vain, or it could not ring. */
export type Missed = 'unanswered' | 'unreachable'

/**
 * Rings one after the other whom the contact plan names. An answer is not its business: the resident's leg arrives at
 * the call, which then leaves this machine and so stops whatever still rings.
 */
export const contactMachine = setup({
  types: {
    input: {} as ContactInput,
    context: {} as ContactContext,
    output: {} as { missed: Missed },
  },
  actors: {
    say,
    deadline,
    /** Resolves when the request to ring was accepted, rejects when it cannot be done. */
    dial: port<void, DialRequest>('dial'),
    /** Lasts while the telephone rings; on exit what still rings is stopped. */
    ring: lastingPort<DialRequest>('ring'),
  },
  actions: {
    nextAttempt: assign({ begun: ({ context }) => context.begun + 1 }),
    tellRinging: sendParent(
      ({ context }): ContactFact => ({ type: 'contact.ringing', kind: current(context).kind }),
    ),
    countRing: assign({ rings: ({ context }) => context.rings + 1 }),
  },
  guards: {
    /** Nobody can be rung any more: the code that a dialer rejects with once it has failed for good. */
    isHopeless: (_, error: unknown) =>
      typeof error === 'object' && error !== null && 'code' in error && error.code === 'DIALER_FAILED',
    mayRing: ({ context }) => context.begun < context.attempts.length,
  },
}).createMachine({
  id: 'contact',
  context: ({ input }) => ({ ...input, begun: 0, rings: 0 }),
  initial: 'choosing',
  states: {
    choosing: { always: [{ guard: 'mayRing', target: 'call' }, { target: 'missed' }] },
    call: {
      initial: 'dialing',
      states: {
        dialing: {
          entry: 'nextAttempt',
          invoke: [
            {
              src: 'dial',
              id: 'dial',
              input: ({ context }) => dialRequest(context),
              onDone: { target: 'ringing', actions: 'countRing' },
              onError: [
                {
                  guard: {
                    type: 'isHopeless',
                    params: ({ event }: { event: ErrorActorEvent }) => event.error,
                  },
                  target: '#contact.missed',
                },
                { target: 'unheard' },
              ],
            },
            {
              src: 'deadline',
              id: 'dialDeadline',
              input: ({ context }) => inMs(current(context).ringMs),
              onDone: 'unheard',
            },
          ],
        },
        ringing: {
          entry: 'tellRinging',
          invoke: [
            { src: 'ring', id: 'ring', input: ({ context }) => dialRequest(context) },
            {
              src: 'deadline',
              id: 'ringDeadline',
              input: ({ context }) => inMs(current(context).ringMs),
              onDone: 'unheard',
            },
          ],
        },
        unheard: { always: [{ guard: 'mayRing', target: 'pausing' }, { target: '#contact.missed' }] },
        pausing: {
          invoke: [
            {
              src: 'say',
              id: 'tellVisitor',
              input: ({ context }) => ({
                callId: context.callId,
                role: 'visitor',
                pieces: [upcoming(context)],
              }),
            },
            {
              src: 'deadline',
              id: 'pauseDeadline',
              input: ({ context }) => inMs(context.pauseMs),
              onDone: 'dialing',
            },
          ],
        },
      },
    },
    missed: { type: 'final' },
  },
  output: ({ context }) => ({ missed: context.rings > 0 ? 'unanswered' : 'unreachable' }),
})

function current({ attempts, begun }: ContactContext): Attempt {
  return attempts[begun - 1]!
}

/** What the visitor is told before the next attempt. */
function upcoming({ attempts, begun }: ContactContext): string {
  return attempts[begun]!.kind === 'operator' ? 'calling-operator' : 'trying-again'
}

function dialRequest(context: ContactContext): DialRequest {
  const { callId, unit, begun } = context
  const { contact, ringMs } = current(context)
  return { callId, attemptId: `${callId}-${begun}`, contact, unit, ringMs }
}
