import { assign, type ErrorActorEvent, sendParent, setup } from 'xstate'
import { type AskingOutput, type AskRequest, askingMachine } from './asking.ts'
import { deadline, inMs } from './deadline.ts'
import { lastingPort, port } from './port.ts'
import { type Role, say } from './speech.ts'
import type { Unit } from './unit.ts'

/** Somebody who may be rung for a unit. */
export interface Contact {
  residentId: string
  name: string
  number: string
}

/** One time that somebody is rung. */
export interface RingAttempt {
  /** Who it is: somebody of the unit, or the operator in their place. */
  kind: 'call' | 'operator'
  contact: Contact
  ringMs: number
}

/** One time that everybody of the unit who reads messages is asked in writing. */
export interface AskAttempt {
  kind: 'whatsapp'
  /** How long the visitor waits for an answer before the next step. */
  waitMs: number
}

/** The tenant's contact plan, written out. */
export type Attempt = RingAttempt | AskAttempt

export interface ContactInput {
  callId: string
  unit: Unit
  /** In their order. */
  attempts: Attempt[]
  /** ms between two attempts. */
  pauseMs: number
  /** How many searches there were before in this call. */
  searches?: number
}

/** What the call learns: who is being rung or asked now. */
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
  /** How many attempts rang, or were asked; none at all means that the resident cannot be reached. */
  rings: number
}

/** Nobody came on the line or answered: it rang in vain, or it could not ring. */
export type Missed = 'unanswered' | 'unreachable'

/**
 * Rings or asks one after the other whom the contact plan names. An answer is not its business: the resident's leg, or the
 * decision of somebody who was asked in writing, arrives at the call, which then leaves this machine and so stops
 * whatever still rings. Whoever was asked in writing may answer as long as anybody is looked for.
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
    tone: lastingPort<{ callId: string; role: Role; tone: 'ringback' | 'hold' }>('tone'),
    asking: askingMachine,
    /** Lasts while answers in writing count; on exit whoever was asked is asked no more. */
    await: lastingPort<{ callId: string; asks: boolean }>('await'),
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
    wasAsked: (_, { asked }: AskingOutput) => asked,
    asksNext: ({ context }) => context.attempts[context.begun]?.kind === 'whatsapp',
    noneIsLeft: ({ context }) => context.begun === context.attempts.length,
    /** There was no attempt that "trying again" could refer to: nothing rang, and the last question could not be sent. */
    seemsFirst: ({ context }) =>
      context.begun === 0 || (context.rings === 0 && current(context).kind === 'whatsapp'),
  },
}).createMachine({
  id: 'contact',
  context: ({ input }) => ({ ...input, begun: 0, rings: 0 }),
  invoke: {
    src: 'await',
    id: 'await',
    input: ({ context: { callId, attempts } }) => ({
      callId,
      asks: attempts.some(({ kind }) => kind === 'whatsapp'),
    }),
  },
  initial: 'choosing',
  states: {
    choosing: {
      always: [
        { guard: 'asksNext', target: 'whatsapp' },
        { guard: 'noneIsLeft', target: 'missed' },
        { guard: 'seemsFirst', target: 'call' },
        { target: 'call.pausing' },
      ],
    },
    call: {
      invoke: { src: 'tone', id: 'ringback', input: ({ context }) => sounding(context, 'ringback') },
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
                { target: '#contact.choosing' },
              ],
            },
            {
              src: 'deadline',
              id: 'dialDeadline',
              input: ({ context }) => inMs(rung(context).ringMs),
              onDone: '#contact.choosing',
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
              input: ({ context }) => inMs(rung(context).ringMs),
              onDone: '#contact.choosing',
            },
          ],
        },
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
    whatsapp: {
      entry: ['nextAttempt', 'tellRinging'],
      invoke: [
        // nothing rings anywhere
        { src: 'tone', id: 'hold', input: ({ context }) => sounding(context, 'hold') },
        {
          src: 'asking',
          id: 'asking',
          input: ({ context }) => askRequest(context),
          onDone: [
            {
              guard: { type: 'wasAsked', params: ({ event }) => event.output },
              target: 'choosing',
              actions: 'countRing',
            },
            { target: 'choosing' },
          ],
        },
      ],
    },
    missed: { type: 'final' },
  },
  output: ({ context }) => ({ missed: context.rings > 0 ? 'unanswered' : 'unreachable' }),
})

function current({ attempts, begun }: ContactContext): Attempt {
  return attempts[begun - 1]!
}

function rung(context: ContactContext): RingAttempt {
  return current(context) as RingAttempt
}

/** What the visitor is told before the next attempt. */
function upcoming({ attempts, begun }: ContactContext): string {
  return attempts[begun]!.kind === 'operator' ? 'calling-operator' : 'trying-again'
}

function sounding({ callId }: ContactContext, tone: 'ringback' | 'hold') {
  return { callId, role: 'visitor' as const, tone }
}

function dialRequest(context: ContactContext): DialRequest {
  const { callId, unit, begun, searches = 0 } = context
  const { contact, ringMs } = rung(context)
  // an id that was rung once rings no more
  const search = searches > 0 ? `r${searches}-` : ''
  return { callId, attemptId: `${callId}-${search}${begun}`, contact, unit, ringMs }
}

function askRequest(context: ContactContext): AskRequest {
  const { callId, unit } = context
  return { callId, unit, waitMs: (current(context) as AskAttempt).waitMs }
}
