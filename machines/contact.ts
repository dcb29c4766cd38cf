import { assign, setup } from 'xstate'
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

/** Times in ms. */
export interface ContactSettings {
  /** How often each contact is rung. */
  attempts: number
  ringMs: number
  /** Between two attempts. */
  pauseMs: number
}

export interface ContactInput {
  callId: string
  unit: Unit
  contacts: Contact[]
  settings: ContactSettings
}

export interface DialRequest {
  callId: string
  /** One id an attempt, so that a request that is delivered twice rings once. */
  attemptId: string
  contact: Contact
  unit: Unit
  ringMs: number
}

interface ContactContext extends ContactInput {
  attempt: number
  /** How many attempts rang; none at all means that the resident cannot be reached. */
  rings: number
}

/** Nobody came on the line: it rang in vain, or it could not ring. */
export type Missed = 'unanswered' | 'unreachable'

/**
 * Rings the contacts of a unit in turn, each so many times. An answer is not its business: the resident's leg arrives at
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
    nextAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    countRing: assign({ rings: ({ context }) => context.rings + 1 }),
  },
  guards: {
    mayRing: ({ context }) => context.attempt < context.contacts.length * context.settings.attempts,
  },
}).createMachine({
  id: 'contact',
  context: ({ input }) => ({ ...input, attempt: 0, rings: 0 }),
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
              onError: 'unheard',
            },
            {
              src: 'deadline',
              id: 'dialDeadline',
              input: ({ context }) => inMs(context.settings.ringMs),
              onDone: 'unheard',
            },
          ],
        },
        ringing: {
          invoke: [
            { src: 'ring', id: 'ring', input: ({ context }) => dialRequest(context) },
            {
              src: 'deadline',
              id: 'ringDeadline',
              input: ({ context }) => inMs(context.settings.ringMs),
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
              input: ({ context }) => ({ callId: context.callId, role: 'visitor', pieces: ['trying-again'] }),
            },
            {
              src: 'deadline',
              id: 'pauseDeadline',
              input: ({ context }) => inMs(context.settings.pauseMs),
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

function dialRequest({ callId, attempt, contacts, unit, settings }: ContactContext): DialRequest {
  // the contacts are rung in turn, so that a second round begins only when everybody had one
  const contact = contacts[(attempt - 1) % contacts.length]!
  return { callId, attemptId: `${callId}-${attempt}`, contact, unit, ringMs: settings.ringMs }
}
