import { assign, enqueueActions, sendParent, setup } from 'xstate'
import { type AskingOutput, type AskRequest, askingMachine } from './asking.ts'
import { type AttemptFact, attemptMachine, type Contact, type DialRequest, type RingEnd } from './attempt.ts'
import { deadline, inMs } from './deadline.ts'
import { lastingPort } from './port.ts'
import { type Role, type Saying, say } from './speech.ts'
import type { Unit } from './unit.ts'

/** One telephone rings: a resident's, or the operator's in their place. */
export interface RingStep {
  kind: 'call' | 'operator'
  contact: Contact
  ringMs: number
}

/** All telephones of the unit ring at once; the first answer cancels the others. */
export interface TogetherStep {
  kind: 'together'
  contacts: Contact[]
  ringMs: number
}

/** One question in writing to all residents of the unit who read messages. */
export interface AskStep {
  kind: 'whatsapp'
  /** How long the visitor waits for an answer before the next step. */
  waitMs: number
}

/** One step of the tenant's contact plan, resolved: whom it reaches, and how long. */
export type ContactStep = RingStep | TogetherStep | AskStep

export interface ContactInput {
  callId: string
  /** Of a call that began anew under its UUID. */
  beginning?: string | undefined
  /** Null where only the operator is called. */
  unit: Unit | null
  /** The steps, in order. */
  attempts: ContactStep[]
  /** ms between two attempts. */
  pauseMs: number
  /** How many searches there were before in this call. */
  searches?: number
}

/** How a line without a decision ended; `silent`: neither a word nor a key proved a person. */
export type LineEnd = 'undecided' | 'left' | 'lost' | 'machine' | 'silent'

/** How an attempt ended. `concluded`: the visit ended while the line was open. */
export type AttemptEnd = RingEnd | LineEnd | 'unasked' | 'decided' | 'concluded'

export interface OpenAttempt {
  attemptId: string
  kind: ContactStep['kind']
  /** Null if the whole unit was asked in writing. */
  residentId: string | null
}

/** An attempt that is over, for the journal and the inspector. */
export interface EndedAttempt extends OpenAttempt {
  end: AttemptEnd
}

/** Tells the call what is being tried, which attempt has the line, and which are over. */
export type ContactFact =
  | { type: 'contact.began'; kind: ContactStep['kind']; attempts: OpenAttempt[] }
  | { type: 'contact.answered'; attempt: OpenAttempt }
  | { type: 'contact.ended'; attempt: EndedAttempt }

/** Tells the search that the resident's line was opened or has ended. */
export type LineFact =
  | { type: 'line.answered'; attemptId: string | null }
  | { type: 'line.ended'; how: LineEnd }

export type ContactEvent = AttemptFact | LineFact

export interface ContactContext extends ContactInput {
  /** Steps begun so far. */
  begun: number
  /** Steps that rang or asked; 0 means that the resident cannot be reached. */
  rings: number
  /** Lines that ended without a decision, lost ones not counted. */
  answers: number
  /** How often a step was repeated because its line was lost with a process. */
  repeats: number
  /** Telephones of the current step that may still answer. */
  ringing: DialRequest[]
  /** Whether the dialer has failed for good. */
  hopeless: boolean
  /** The last telephone cannot be answered by a person: the PBX reported so, or a machine answered it. */
  isRefused: boolean
}

/** Why nobody decided: a line ended undecided, attempts rang or asked in vain, or none could. */
export type Missed = 'undecided' | 'unanswered' | 'unreachable'

/** Maximum number of telephones that ring at once. */
export const TOGETHER = 8

/** Ends after which the next telephone rings at once; after the others the line may need a moment. */
const REFUSED: ReadonlySet<RingEnd> = new Set(['busy', 'declined', 'unallocated', 'congested'])

type Ended = Omit<Extract<AttemptFact, { type: 'attempt.ended' }>, 'type'>

/**
 * The search for a decision. It takes the steps of the contact plan one after the other. While a line is open it waits, and
 * it continues when the line ends without a decision. A decision goes to the call, which then stops this machine and so cancels
 * calls that still ring. Residents who were asked in writing may answer until the search ends.
 */
export const contactMachine = setup({
  types: {
    input: {} as ContactInput,
    context: {} as ContactContext,
    events: {} as ContactEvent,
    output: {} as { missed: Missed },
  },
  actors: {
    say,
    deadline,
    attempt: attemptMachine,
    tone: lastingPort<{ callId: string; role: Role; tone: 'ringback' | 'hold' }>('tone'),
    asking: askingMachine,
    /** Lasts while written answers count; closes the questions on exit. */
    await: lastingPort<{ callId: string; asks: boolean }>('await'),
  },
  actions: {
    /** While it rings again already. */
    announce: enqueueActions(({ context, enqueue }) => {
      enqueue.spawnChild('say', { id: 'announcement', input: announcementTo(context) })
    }),
    nextAttempt: assign({ begun: ({ context }) => nextOf(context) + 1, isRefused: false }),
    tellBegan: sendParent(
      ({ context }): ContactFact => ({
        type: 'contact.began',
        kind: current(context).kind,
        attempts: openAttempts(context),
      }),
    ),
    countRing: assign({ rings: ({ context }) => context.rings + 1 }),
    dialAll: enqueueActions(({ context, enqueue }) => {
      const requests = dialRequests(context)
      enqueue.assign({ ringing: requests })
      for (const [at, input] of requests.entries()) enqueue.spawnChild('attempt', { id: childOf(at), input })
    }),
    /** Stopping an attempt's machine cancels its call. */
    stopAll: enqueueActions(({ enqueue }) => {
      for (let at = 0; at < TOGETHER; at++) enqueue.stopChild(childOf(at))
      enqueue.stopChild('announcement')
      enqueue.assign({ ringing: [] })
    }),
    endRing: assign(({ context }, { attemptId, end }: Ended) => ({
      ringing: context.ringing.filter((request) => request.attemptId !== attemptId),
      hopeless: context.hopeless || end === 'hopeless',
      isRefused: REFUSED.has(end),
    })),
    tellRingEnded: sendParent(
      ({ context }, { attemptId, end }: Ended): ContactFact => ({
        type: 'contact.ended',
        attempt: { ...attemptOf(context, attemptId), end },
      }),
    ),
    tellAsked: sendParent(
      ({ context }, end: AttemptEnd): ContactFact => ({
        type: 'contact.ended',
        attempt: { ...attemptOf(context, idOf(context)), end },
      }),
    ),
    tellAnswered: sendParent(
      ({ context }, attemptId: string | null): ContactFact => ({
        type: 'contact.answered',
        attempt: attemptOf(context, attemptId ?? idOf(context)),
      }),
    ),
    noteMachine: assign({ isRefused: true }),
    countAnswer: assign({ answers: ({ context }) => context.answers + 1 }),
    repeat: assign(({ context }) => ({ begun: context.begun - 1, repeats: context.repeats + 1 })),
  },
  guards: {
    goesOn: ({ context }) => nextOf(context) < context.attempts.length,
    /** No person can answer that telephone now: a pause gains nothing. */
    goesOnAtOnce: ({ context }) => {
      const next = context.attempts[nextOf(context)]
      return context.isRefused && next !== undefined && next.kind !== 'whatsapp'
    },
    asksNext: ({ context }) => context.attempts[nextOf(context)]?.kind === 'whatsapp',
    /** The next step is announced, unless the visitor has noticed none before it. */
    goesOnAloud: ({ context }) =>
      nextOf(context) < context.attempts.length &&
      context.begun > 0 &&
      (context.rings > 0 || current(context).kind !== 'whatsapp'),
    isLast: ({ context }, attemptId: string) =>
      context.ringing.every((request) => request.attemptId === attemptId),
    wasAsked: (_, { asked }: AskingOutput) => asked,
    /** Nobody was there who could have decided. */
    wasNobody: (_, how: LineEnd) => how === 'lost' || how === 'silent',
    wasMachine: (_, how: LineEnd) => how === 'machine',
    /** A telephone whose line was lost with a process is called again. */
    isRepeated: ({ context }, how: LineEnd) =>
      how === 'lost' && context.begun > 0 && current(context).kind !== 'whatsapp',
  },
}).createMachine({
  id: 'contact',
  context: ({ input }) => ({
    ...input,
    begun: 0,
    rings: 0,
    answers: 0,
    repeats: 0,
    ringing: [],
    hopeless: false,
    isRefused: false,
  }),
  invoke: {
    src: 'await',
    id: 'await',
    input: ({ context: { callId, attempts } }) => ({
      callId,
      asks: attempts.some(({ kind }) => kind === 'whatsapp'),
    }),
  },
  initial: 'choosing',
  on: {
    'line.answered': {
      target: '.answered',
      actions: { type: 'tellAnswered', params: ({ event }) => event.attemptId },
    },
  },
  states: {
    choosing: {
      always: [
        { guard: 'asksNext', target: 'whatsapp' },
        { guard: 'goesOnAtOnce', target: 'calling', actions: 'announce' },
        { guard: 'goesOnAloud', target: 'pausing' },
        { guard: 'goesOn', target: 'calling' },
        { target: 'missed' },
      ],
    },
    pausing: {
      invoke: [
        {
          src: 'say',
          id: 'tellVisitor',
          input: ({ context }) => announcementTo(context),
        },
        {
          src: 'deadline',
          id: 'pauseDeadline',
          input: ({ context, self }) => inMs(self, context.pauseMs),
          onDone: 'calling',
        },
      ],
    },
    calling: {
      entry: ['nextAttempt', 'tellBegan', 'dialAll'],
      exit: 'stopAll',
      invoke: { src: 'tone', id: 'ringback', input: ({ context }) => sounding(context, 'ringback') },
      initial: 'dialing',
      on: {
        'attempt.ended': [
          {
            guard: { type: 'isLast', params: ({ event }) => event.attemptId },
            target: 'choosing',
            actions: [ring('tellRingEnded'), ring('endRing')],
          },
          { actions: [ring('tellRingEnded'), ring('endRing')] },
        ],
      },
      states: {
        dialing: { on: { 'attempt.ringing': { target: 'ringing', actions: 'countRing' } } },
        ringing: {},
      },
    },
    whatsapp: {
      entry: ['nextAttempt', 'tellBegan'],
      invoke: [
        // no telephone rings
        { src: 'tone', id: 'hold', input: ({ context }) => sounding(context, 'hold') },
        {
          src: 'asking',
          id: 'asking',
          input: ({ context }) => askRequest(context),
          onDone: [
            {
              guard: { type: 'wasAsked', params: ({ event }) => event.output },
              target: 'choosing',
              actions: ['countRing', { type: 'tellAsked', params: 'unanswered' }],
            },
            { target: 'choosing', actions: { type: 'tellAsked', params: 'unasked' } },
          ],
        },
      ],
    },
    answered: {
      description: 'a line is open; the search continues when it ends without a decision',
      on: {
        'line.answered': {},
        'line.ended': [
          { guard: line('isRepeated'), target: 'choosing', actions: 'repeat' },
          { guard: line('wasMachine'), target: 'choosing', actions: 'noteMachine' },
          { guard: line('wasNobody'), target: 'choosing' },
          { target: 'choosing', actions: 'countAnswer' },
        ],
      },
    },
    missed: { type: 'final' },
  },
  output: ({ context: { answers, rings } }) => ({
    missed: answers > 0 ? 'undecided' : rings > 0 ? 'unanswered' : 'unreachable',
  }),
})

function ring<Name extends string>(type: Name) {
  return { type, params: ({ event }: { event: Ended }) => event } as const
}

function line<Name extends string>(type: Name) {
  return { type, params: ({ event }: { event: { how: LineEnd } }) => event.how } as const
}

function current({ attempts, begun }: ContactContext): ContactStep {
  return attempts[begun - 1]!
}

/** Index of the next step that can be taken; `attempts.length` if there is none. */
function nextOf({ attempts, begun, hopeless }: ContactContext): number {
  const at = attempts.findIndex(({ kind }, place) => place >= begun && !(hopeless && kind !== 'whatsapp'))
  return at < 0 ? attempts.length : at
}

/** The prompt about the next step. */
function announcementTo(context: ContactContext): Saying {
  // no unit, nobody before the operator
  const isOperator = context.unit !== null && context.attempts[nextOf(context)]!.kind === 'operator'
  const first = context.answers > 0 ? 'trying-on' : 'trying-again'
  const operator = context.answers > 0 ? 'trying-operator' : 'calling-operator'
  return { callId: context.callId, role: 'visitor', pieces: [isOperator ? operator : first] }
}

function sounding({ callId }: ContactContext, tone: 'ringback' | 'hold') {
  return { callId, role: 'visitor' as const, tone }
}

function childOf(place: number): string {
  return `attempt-${place}`
}

/** The attempt id of the current step. A dialer ignores an id that it has called before, so a repeated step gets a new one. */
function idOf({ callId, beginning, searches = 0, begun, repeats }: ContactContext): string {
  const anew = beginning === undefined ? '' : `${beginning}-`
  const search = searches > 0 ? `s${searches}-` : ''
  return `${callId}-${anew}${search}${repeats > 0 ? `r${repeats}-` : ''}${begun}`
}

function dialRequests(context: ContactContext): DialRequest[] {
  const step = current(context) as RingStep | TogetherStep
  const contacts = step.kind === 'together' ? step.contacts.slice(0, TOGETHER) : [step.contact]
  const { callId, unit } = context
  return contacts.map((contact, at) => ({
    callId,
    attemptId: step.kind === 'together' ? `${idOf(context)}-${at + 1}` : idOf(context),
    contact,
    unit,
    ringMs: step.ringMs,
  }))
}

/** Those of the current step. */
function openAttempts(context: ContactContext): OpenAttempt[] {
  const isAsked = current(context).kind === 'whatsapp'
  const ids = isAsked ? [idOf(context)] : dialRequests(context).map(({ attemptId }) => attemptId)
  return ids.map((attemptId) => attemptOf(context, attemptId))
}

function attemptOf(context: ContactContext, attemptId: string): OpenAttempt {
  const { kind } = current(context)
  const requests = kind === 'whatsapp' ? [] : dialRequests(context)
  const request = requests.find((one) => one.attemptId === attemptId)
  return { attemptId, kind, residentId: request?.contact.residentId ?? null }
}

function askRequest(context: ContactContext): AskRequest {
  const { callId, unit } = context
  return { callId, unit: unit!, waitMs: (current(context) as AskStep).waitMs }
}
