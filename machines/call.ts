import { assign, enqueueActions, sendTo, setup } from 'xstate'
import { clockOf } from './clock.ts'
import { concludingMachine } from './concluding.ts'
import { type AttemptEnd, contactMachine, type EndedAttempt, type LineEnd, type Missed } from './contact.ts'
import { deadline } from './deadline.ts'
import { type HungUp, legMachine } from './leg.ts'
import { BY_GIVING_UP, BY_MISSING, type Decision, type Ending, type Outcome, type Reason } from './outcome.ts'
import { lastingPort, port } from './port.ts'
import { type ProvingOutput, provingMachine } from './proving.ts'
import { reassuringMachine } from './reassuring.ts'
import { type ResidentOutput, residentMachine, type Verdict } from './resident.ts'
import { type Role, say } from './speech.ts'
import { talkMachine } from './talk.ts'
import type { Unit } from './unit.ts'
import {
  type CallContext,
  type CallEvent,
  type CallInput,
  type CallOutput,
  type Matched,
  newVisit,
  resultOf,
} from './visit.ts'
import { CORRECTIONS, type VisitorOutput, visitorMachine } from './visitor.ts'

/** Minimum length of a consultation in ms, however late it begins. */
const CONSULTATION_MS = 60_000

const UNDECIDED = { type: 'end', params: { outcome: 'undecided', reason: 'undecided' } } as const
/** The call's maximum cuts no consultation that has just begun. */
const CONSULTATION_DEADLINE = {
  src: 'deadline',
  id: 'consultationDeadline',
  input: ({ context }: { context: CallContext }) => ({
    at: Math.max(context.startedAt + context.settings.callMaxMs, context.provenAt! + CONSULTATION_MS),
  }),
  onDone: { target: '#call.concluding', actions: end('expired', 'too-long') },
} as const
const RESTORE_LEGS = { type: 'tellLegs', params: 'call.restored' } as const

/**
 * One visit, from the visitor's first frame until both legs are hung up. A root actor whose id is the AudioSocket UUID; the
 * dialogues, the search for the resident and the legs are its children.
 */
export const callMachine = setup({
  types: {
    input: {} as CallInput,
    context: {} as CallContext,
    events: {} as CallEvent,
    output: {} as CallOutput,
  },
  actors: {
    leg: legMachine,
    visitor: visitorMachine,
    contact: contactMachine,
    reassuring: reassuringMachine,
    resident: residentMachine,
    proving: provingMachine,
    talk: talkMachine,
    concluding: concludingMachine,
    say,
    deadline,
    /** The decision of the rules, and the attempts for the unit; an empty list if nobody may be called. */
    match: port<Matched, { callId: string; unit: Unit }>('match'),
    tone: lastingPort<{ callId: string; role: Role; tone: 'ringback' | 'hold' }>('tone'),
  },
  actions: {
    connectResident: enqueueActions(({ context, enqueue, self }) => {
      enqueue.spawnChild('leg', { id: 'residentLeg', input: legInput(context, 'resident') })
      enqueue.assign({
        legs: [...context.legs, 'resident' as const],
        answeredAt: clockOf(self).now(),
      })
    }),
    dropLeg: enqueueActions(({ context, enqueue }, left: Role) => {
      // a finished child stays in the snapshot until it is stopped
      enqueue.stopChild(`${left}Leg`)
      enqueue.assign({ legs: context.legs.filter((role) => role !== left) })
    }),
    keepVisitor: assign((_, { unit, identity, purpose }: VisitorOutput) => ({ unit, identity, purpose })),
    keepAttempts: assign(({ context }, { attempts = [], answering }: Matched) => ({
      attempts,
      settings: { ...context.settings, ...answering },
    })),
    waits: enqueueActions(({ enqueue }, prompt: string) => {
      enqueue.sendTo('reassuring', { type: 'waits', prompt })
    }),
    countCorrection: assign({ searches: ({ context }) => context.searches + 1 }),
    end: assign((_, ending: Ending) => ({ ending })),
    keepAttempt: assign(({ context }, attempt: EndedAttempt) => ({ ended: [...context.ended, attempt] })),
    endLine: enqueueActions(({ context, enqueue }, how: LineEnd) => {
      enqueue.assign(lineOver(context, how))
      enqueue.sendTo('contact', { type: 'line.ended', how })
    }),
    closeLine: assign(({ context }) => lineOver(context, context.decision ? 'decided' : 'concluded')),
    decide: assign(({ self }, { at, ...given }: Omit<Decision, 'at'> & { at?: number | undefined }) => ({
      ending: { outcome: given.verdict, reason: null },
      decision: { ...given, at: at ?? clockOf(self).now() },
    })),
    tellLegs: enqueueActions(({ context, enqueue }, type: 'leg.hangUp' | 'call.restored') => {
      for (const role of context.legs) enqueue.sendTo(`${role}Leg`, { type })
    }),
  },
  guards: {
    goesOn: ({ context }) => context.ending === null,
    /** A star corrects the unit, but not for ever. */
    corrects: ({ context, event }) => isCorrection(context, event),
    /** While a telephone rings, only if what rings can be stopped. */
    correctsRinging: ({ context, event }) => context.settings.ringsEarly && isCorrection(context, event),
    /** Nobody knows whom this visitor came for: somebody is called all the same. */
    wantsOperator: ({ context }) => context.attempts.length > 0,
    /** Nobody has talked to that visitor: he may still say whom he came for. */
    asksInstead: ({ context }, missed: Missed) => context.unit === null && missed !== 'undecided',
    ringsAtOnce: ({ context }, { attempts = [] }: Matched) =>
      context.settings.ringsEarly && attempts[0]?.kind !== 'whatsapp',
    isOverdue: ({ context }) => context.isOverdue,
    /** A line is open; the call's maximum does not cut it. */
    isConsulting: ({ context }) => context.ending === null && context.legs.includes('resident'),
    endsAfterTalk: ({ context }) => context.settings.afterTalk === 'end',
    /** A resident left a talk. If the line was lost with a process, it is called again instead. */
    endsTheVisit: ({ context }, how: HungUp) => how !== 'lost' && context.settings.afterTalk === 'end',
    nobodyIsHere: ({ context }) => context.legs.length === 0,
    isHere: ({ context }, role: Role) => context.legs.includes(role),
    isBlocked: (_, { verdict }: Matched) => verdict === 'blocked',
    isOpen: (_, { verdict }: Matched) => verdict === 'authorized',
    gaveUp: (_, { gaveUp }: VisitorOutput) => gaveUp !== null,
    decides: (_, { answer }: ResidentOutput) => answer === 'authorized' || answer === 'denied',
    isPerson: (_, { answeredBy }: ProvingOutput) => answeredBy === 'person',
    wasMachine: (_, { answer }: ResidentOutput) => answer === 'machine',
    wantsTalk: (_, { answer }: ResidentOutput) => answer === 'talk',
  },
}).createMachine({
  id: 'call',
  context: ({ input }) => newVisit(input),
  invoke: [
    { src: 'leg', id: 'visitorLeg', input: ({ context }) => legInput(context, 'visitor') },
    {
      src: 'deadline',
      id: 'callDeadline',
      input: ({ context }) => ({ at: context.startedAt + context.settings.callMaxMs }),
      onDone: [
        { guard: 'isConsulting', actions: assign({ isOverdue: true }) },
        { guard: 'goesOn', target: '.concluding', actions: end('expired', 'too-long') },
      ],
    },
  ],
  on: {
    'visitor.hungUp': {
      target: '.concluding',
      actions: [
        drop('visitor'),
        { type: 'end', params: ({ event }) => ({ outcome: 'abandoned', reason: goneBy(event.how) }) },
      ],
    },
    'call.restored': { actions: RESTORE_LEGS },
    'resident.hungUp': { actions: drop('resident') },
    'decision.given': {
      target: '.concluding',
      actions: { type: 'decide', params: ({ event: { type: _, ...given } }) => given },
    },
    'leg.hangUp': {
      guard: { type: 'isHere', params: ({ event }) => event.role },
      actions: sendTo(({ event }) => `${event.role}Leg`, { type: 'leg.hangUp' }),
    },
    'call.end': {
      target: '.concluding',
      actions: { type: 'end', params: ({ event }) => ({ outcome: 'expired', reason: event.reason }) },
    },
  },
  initial: 'arriving',
  states: {
    arriving: {
      always: [{ guard: 'wantsOperator', target: 'reaching.searching.telling' }, { target: 'attending' }],
    },
    attending: {
      invoke: {
        src: 'visitor',
        id: 'visitor',
        input: ({ context: { callId, welcome, unit, identity, purpose, settings } }) => ({
          callId,
          welcome,
          said: { unit, identity, purpose },
          transcribes: settings.transcribes,
          bargesIn: settings.bargesIn,
        }),
        onDone: [
          {
            guard: { type: 'gaveUp', params: ({ event }) => event.output },
            target: 'concluding',
            actions: { type: 'end', params: ({ event }) => BY_GIVING_UP[event.output.gaveUp!] },
          },
          {
            target: 'matching',
            actions: { type: 'keepVisitor', params: ({ event }) => event.output },
          },
        ],
        onError: { target: 'concluding', actions: end('unreachable', 'fault') },
      },
      on: {
        'call.restored': { actions: [RESTORE_LEGS, sendTo('visitor', ({ event }) => event)] },
        'visitor.chose': { actions: assign({ unit: ({ event }) => event.unit }) },
        'visitor.key.pressed': { actions: sendTo('visitor', ({ event }) => pressed(event)) },
        'visitor.speech.started': { actions: sendTo('visitor', { type: 'speech.started' }) },
      },
    },
    matching: {
      invoke: {
        src: 'match',
        id: 'match',
        input: ({ context }) => ({ callId: context.callId, unit: context.unit! }),
        onDone: [
          {
            guard: { type: 'isBlocked', params: ({ event }) => event.output },
            target: 'concluding',
            actions: end('blocked', 'rule'),
          },
          {
            guard: { type: 'isOpen', params: ({ event }) => event.output },
            target: 'concluding',
            actions: { type: 'decide', params: { verdict: 'authorized', by: 'rule', via: 'rule' } },
          },
          {
            guard: { type: 'ringsAtOnce', params: ({ event }) => event.output },
            target: 'reaching.searching.telling',
            actions: { type: 'keepAttempts', params: ({ event }) => event.output },
          },
          {
            target: 'announcing',
            actions: { type: 'keepAttempts', params: ({ event }) => event.output },
          },
        ],
        onError: { target: 'concluding', actions: end('unreachable', 'fault') },
      },
    },
    announcing: {
      description: 'what rings cannot be stopped, so the visitor first has time to correct the unit',
      invoke: {
        src: 'say',
        id: 'announce',
        input: ({ context }) => announcement(context),
        onDone: 'reaching',
      },
      on: {
        'visitor.key.pressed': [
          { guard: 'corrects', target: 'attending', actions: 'countCorrection' },
          { target: 'reaching' },
        ],
      },
    },
    reaching: {
      description: "the search lasts as long as this state; the resident's line comes and goes within it",
      invoke: [
        {
          src: 'contact',
          id: 'contact',
          input: ({ context: { callId, beginning, unit, attempts, searches, settings } }) => ({
            callId,
            beginning,
            unit,
            attempts,
            searches,
            pauseMs: settings.pauseMs,
          }),
          onDone: [
            {
              guard: { type: 'asksInstead', params: ({ event }) => event.output.missed },
              target: 'attending',
              actions: 'countCorrection',
            },
            {
              target: 'concluding',
              actions: { type: 'end', params: ({ event }) => BY_MISSING[event.output.missed] },
            },
          ],
          onError: { target: 'concluding', actions: end('unreachable', 'fault') },
        },
        {
          src: 'reassuring',
          id: 'reassuring',
          input: ({ context: { callId } }) => ({ callId, prompt: 'still-calling' }),
          // the search goes on in silence
          onError: {},
        },
      ],
      on: {
        'contact.began': {
          actions: {
            type: 'waits',
            params: ({ event }) => (event.kind === 'whatsapp' ? 'message-waiting' : 'still-calling'),
          },
        },
        'visitor.saying': { actions: sendTo('reassuring', { type: 'saying' }) },
        'visitor.said': { actions: sendTo('reassuring', { type: 'said' }) },
        'contact.answered': { actions: assign({ line: ({ event }) => event.attempt }) },
        'contact.ended': { actions: { type: 'keepAttempt', params: ({ event }) => event.attempt } },
      },
      initial: 'searching',
      states: {
        searching: {
          description: 'no line is open',
          initial: 'quiet',
          always: { guard: 'isOverdue', target: '#call.concluding', actions: end('expired', 'too-long') },
          on: {
            'resident.joined': {
              target: 'answered',
              actions: [
                'connectResident',
                sendTo('contact', ({ event }) => ({
                  type: 'line.answered',
                  attemptId: event.attemptId ?? null,
                })),
              ],
            },
            'visitor.key.pressed': {
              guard: 'correctsRinging',
              target: '#call.attending',
              actions: 'countCorrection',
            },
          },
          states: {
            telling: {
              description: 'the first telephone rings already',
              invoke: {
                src: 'say',
                id: 'announce',
                input: ({ context }) => announcement(context),
                onDone: 'quiet',
              },
            },
            quiet: {},
          },
        },
        answered: {
          description: 'a line is open',
          entry: assign({ lineEnd: null, greeted: false }),
          invoke: {
            src: 'deadline',
            id: 'lineDeadline',
            input: ({ context }) => ({ at: hardEnd(context) }),
            onDone: { target: '#call.concluding', actions: end('expired', 'too-long') },
          },
          on: {
            'resident.hungUp': {
              target: 'searching',
              actions: [
                drop('resident'),
                { type: 'endLine', params: ({ context, event }) => context.lineEnd ?? leftBy(event.how) },
              ],
            },
          },
          initial: 'proving',
          states: {
            proving: {
              description: 'nothing private is said before a person is on the line',
              // to the visitor it still rings
              entry: waits('still-calling'),
              invoke: [
                {
                  src: 'tone',
                  id: 'ringback',
                  input: ({ context: { callId } }) => ({ callId, role: 'visitor', tone: 'ringback' }),
                },
                {
                  src: 'proving',
                  id: 'proving',
                  input: ({ context: { callId, unit, settings } }) => ({
                    callId,
                    unit,
                    check: settings.answerCheck,
                    transcribes: settings.transcribes,
                    leavesMessage: settings.leavesMessage,
                  }),
                  onDone: [
                    {
                      guard: { type: 'isPerson', params: ({ event }) => event.output },
                      target: 'consulting',
                      actions: assign(({ event, self }) => ({
                        greeted: event.output.greeted,
                        provenAt: clockOf(self).now(),
                      })),
                    },
                    {
                      target: 'dropping',
                      actions: assign({ lineEnd: ({ event }) => nobodyBy(event.output) }),
                    },
                  ],
                  onError: { target: 'dropping', actions: assign({ lineEnd: 'silent' }) },
                },
              ],
              on: {
                'resident.key.pressed': { actions: sendTo('proving', ({ event }) => pressed(event)) },
                'resident.speech.started': { actions: sendTo('proving', { type: 'speech.started' }) },
                'resident.speech.ended': {
                  actions: sendTo('proving', ({ event }) => ({ type: 'speech.ended', ms: event.ms })),
                },
                'resident.beep.heard': { actions: sendTo('proving', { type: 'beep.heard' }) },
              },
            },
            consulting: {
              entry: waits('still-asking'),
              invoke: [
                CONSULTATION_DEADLINE,
                { src: 'tone', id: 'hold', input: ({ context }) => holding(context) },
                {
                  src: 'say',
                  id: 'tellVisitor',
                  input: ({ context }) => ({
                    callId: context.callId,
                    role: 'visitor',
                    pieces: [context.line?.kind === 'operator' ? 'operator-answered' : 'resident-answered'],
                  }),
                },
                {
                  src: 'resident',
                  id: 'resident',
                  input: ({ context: { callId, unit, identity, purpose, greeted, settings } }) => ({
                    callId,
                    greeted,
                    unit,
                    identity,
                    purpose,
                    transcribes: settings.transcribes,
                    bargesIn: settings.bargesIn,
                  }),
                  onDone: [
                    {
                      guard: { type: 'decides', params: ({ event }) => event.output },
                      target: '#call.concluding',
                      actions: {
                        type: 'decide',
                        params: ({ context, event }) => decisionOf(context, event.output),
                      },
                    },
                    { guard: { type: 'wantsTalk', params: ({ event }) => event.output }, target: 'talking' },
                    {
                      guard: { type: 'wasMachine', params: ({ event }) => event.output },
                      target: 'dropping',
                      actions: assign({ lineEnd: 'machine' }),
                    },
                    { target: 'releasing' },
                  ],
                  onError: 'releasing',
                },
              ],
              on: {
                'resident.key.pressed': { actions: sendTo('resident', ({ event }) => pressed(event)) },
                // a mailbox that sounded like a person
                'resident.beep.heard': { target: 'dropping', actions: assign({ lineEnd: 'machine' }) },
                'resident.speech.started': { actions: sendTo('resident', { type: 'speech.started' }) },
              },
            },
            talking: {
              entry: sendTo('reassuring', { type: 'rests' }),
              invoke: [
                CONSULTATION_DEADLINE,
                {
                  src: 'talk',
                  id: 'talk',
                  input: ({ context: { callId, settings } }) => ({ callId, talkMs: settings.talkMs }),
                  onDone: [
                    {
                      guard: { type: 'decides', params: ({ event }) => event.output },
                      target: '#call.concluding',
                      actions: {
                        type: 'decide',
                        params: ({ context, event }) => decisionOf(context, event.output),
                      },
                    },
                    { guard: 'endsAfterTalk', target: '#call.concluding', actions: UNDECIDED },
                    { target: 'releasing' },
                  ],
                  onError: 'releasing',
                },
              ],
              on: {
                'resident.key.pressed': { actions: sendTo('talk', ({ event }) => pressed(event)) },
                'resident.hungUp': {
                  guard: { type: 'endsTheVisit', params: ({ event }) => event.how },
                  target: '#call.concluding',
                  actions: [drop('resident'), end('undecided', 'resident-left')],
                },
              },
            },
            releasing: {
              description: 'the undecided line hears a goodbye and is hung up; then the search continues',
              entry: [assign({ lineEnd: 'undecided' }), waits('still-calling')],
              invoke: [
                { src: 'tone', id: 'hold', input: ({ context }) => holding(context) },
                {
                  src: 'say',
                  id: 'sayGoodbye',
                  input: ({ context: { callId } }) => ({
                    callId,
                    role: 'resident',
                    pieces: ['farewell-resident-undecided'],
                  }),
                  onDone: 'dropping',
                },
              ],
            },
            dropping: {
              description: 'the line is hung up; the search goes on when it is gone',
              entry: sendTo('residentLeg', { type: 'leg.hangUp' }),
              invoke: { src: 'tone', id: 'hold', input: ({ context }) => holding(context) },
            },
          },
        },
      },
    },
    concluding: {
      entry: 'closeLine',
      always: { guard: 'nobodyIsHere', target: 'ended' },
      invoke: {
        src: 'concluding',
        id: 'concluding',
        input: ({ context: { callId, ending, decision, settings } }) => ({
          callId,
          ending: ending!,
          decision,
          hangupDelayMs: settings.hangupDelayMs,
        }),
        // whatever broke, the legs are hung up
        onError: { actions: { type: 'tellLegs', params: 'leg.hangUp' } },
      },
      on: {
        'call.restored': { actions: [RESTORE_LEGS, sendTo('concluding', ({ event }) => event)] },
        'gate.answered': { actions: assign({ gate: ({ event }) => event.answer }) },
        'decision.stood': {
          actions: assign(({ event: { decision } }) => ({
            decision,
            ending: { outcome: decision.verdict, reason: null },
          })),
        },
        'legs.hangUp': { actions: { type: 'tellLegs', params: 'leg.hangUp' } },
        'visitor.forced': { actions: sendTo('concluding', { type: 'leg.forced' }) },
        'resident.forced': { actions: sendTo('concluding', { type: 'leg.forced' }) },
        'visitor.hungUp': { actions: drop('visitor') },
        // the first decision stands; the service rejects a resident who comes now with a prompt
        'decision.given': {},
        'call.end': {},
      },
    },
    ended: { type: 'final' },
  },
  output: ({ context, self }) => resultOf(context, clockOf(self).now()),
})

/** What the visitor hears when the search begins. */
function announcement({ callId, unit }: CallContext) {
  return {
    callId,
    role: 'visitor' as const,
    pieces: unit ? ['calling-unit', { spell: unit.number }, 'please-wait'] : ['putting-through'],
  }
}

/** When a call is ended in any case, ms since the epoch. */
function hardEnd({ startedAt, settings: { callMaxMs } }: CallContext): number {
  return startedAt + 2 * callMaxMs
}

function isCorrection({ searches }: CallContext, event: CallEvent): boolean {
  return event.type === 'visitor.key.pressed' && event.key === '*' && searches < CORRECTIONS
}

function lineOver({ line, ended }: CallContext, end: AttemptEnd): Partial<CallContext> {
  return line ? { line: null, ended: [...ended, { ...line, end }] } : {}
}

function nobodyBy({ answeredBy }: ProvingOutput): LineEnd {
  return answeredBy === 'machine' ? 'machine' : 'silent'
}

function holding({ callId }: CallContext) {
  return { callId, role: 'visitor', tone: 'hold' } as const
}

/** Before the goodbyes we hang up only by command, or for a codec that cannot be decoded. */
function goneBy(how: HungUp): Reason {
  return how === 'us' ? 'hung-up' : 'visitor-left'
}

function leftBy(how: HungUp): LineEnd {
  return how === 'lost' ? 'lost' : 'left'
}

/** From now on the visitor hears this prompt when nothing else is said. */
function waits(prompt: string) {
  return { type: 'waits', params: prompt } as const
}

function end(outcome: Outcome, reason: Reason) {
  return { type: 'end', params: { outcome, reason } } as const
}

function drop(role: Role) {
  return { type: 'dropLeg', params: role } as const
}

/** The decision of the person on the resident's leg. */
function decisionOf({ line }: CallContext, { answer, via }: ResidentOutput): Omit<Decision, 'at'> {
  return { verdict: answer as Verdict, by: line?.kind === 'operator' ? 'operator' : 'resident', via }
}

function legInput({ callId, settings }: CallContext, role: Role) {
  return { callId, role, graceMs: settings.hangupGraceMs }
}

function pressed({ key }: { key: string }) {
  return { type: 'key.pressed', key } as const
}
