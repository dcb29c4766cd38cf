import { assign, enqueueActions, not, sendTo, setup } from 'xstate'
import { concludingMachine } from './concluding.ts'
import { contactMachine } from './contact.ts'
import { deadline } from './deadline.ts'
import { type HungUp, legMachine } from './leg.ts'
import { BY_GIVING_UP, BY_MISSING, type Decision, type Ending, type Outcome, type Reason } from './outcome.ts'
import { lastingPort, port } from './port.ts'
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
import { type VisitorOutput, visitorMachine } from './visitor.ts'

const RESTORE_LEGS = { type: 'tellLegs', params: 'call.restored' } as const

/** The resident decides, in the dialogue with Porteiro or in the talk. */
const RESIDENT_DECIDES = {
  guard: { type: 'decides', params: ({ event }: ResidentDone) => event.output },
  target: 'concluding',
  actions: {
    type: 'decide',
    params: ({ context, event }: ResidentDone) => decisionOf(context, event.output),
  },
} as const

/** The resident is gone without a decision. A resident whose process was lost is called again. */
const RESIDENT_LEFT = [
  {
    guard: { type: 'wasLost', params: ({ event }: { event: { how: HungUp } }) => event },
    target: 'contacting',
    actions: [drop('resident'), 'searchAgain'],
  },
  { target: 'concluding', actions: [drop('resident'), end('unanswered', 'resident-left')] },
] as const

interface ResidentDone {
  context: CallContext
  event: { output: ResidentOutput }
}

/**
 * One visit, from the visitor's first frame until both legs are hung up by us. A root actor whose id is the AudioSocket
 * UUID; the dialogues, the search for the resident and the legs are its children.
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
    resident: residentMachine,
    talk: talkMachine,
    concluding: concludingMachine,
    say,
    deadline,
    /** What the rules say, and who may be rung for the unit; nobody is an empty list. */
    match: port<Matched, { callId: string; unit: Unit }>('match'),
    tone: lastingPort<{ callId: string; role: Role; tone: 'ringback' | 'hold' }>('tone'),
  },
  actions: {
    connectResident: enqueueActions(({ context, enqueue }) => {
      enqueue.spawnChild('leg', { id: 'residentLeg', input: legInput(context, 'resident') })
      enqueue.assign({
        legs: [...context.legs, 'resident' as const],
        answeredAt: context.answeredAt ?? Date.now(),
      })
    }),
    dropLeg: enqueueActions(({ context, enqueue }, left: Role) => {
      // a finished child stays in the snapshot until it is stopped
      enqueue.stopChild(`${left}Leg`)
      enqueue.assign({ legs: context.legs.filter((role) => role !== left) })
    }),
    keepVisitor: assign((_, { unit, identity, purpose }: VisitorOutput) => ({ unit, identity, purpose })),
    end: assign((_, ending: Ending) => ({ ending })),
    searchAgain: assign({ searches: ({ context }) => context.searches + 1 }),
    decide: assign((_, { verdict, by, via }: Omit<Decision, 'at'>) => ({
      ending: { outcome: verdict, reason: null },
      decision: { verdict, by, via, at: Date.now() },
    })),
    tellLegs: enqueueActions(({ context, enqueue }, type: 'leg.hangUp' | 'call.restored') => {
      for (const role of context.legs) enqueue.sendTo(`${role}Leg`, { type })
    }),
  },
  guards: {
    goesOn: ({ context }) => context.ending === null,
    residentIsHere: ({ context }) => context.legs.includes('resident'),
    nobodyIsHere: ({ context }) => context.legs.length === 0,
    wasLost: (_, { how }: { how: HungUp }) => how === 'lost',
    isHere: ({ context }, role: Role) => context.legs.includes(role),
    isBlocked: (_, { verdict }: Matched) => verdict === 'blocked',
    isOpen: (_, { verdict }: Matched) => verdict === 'authorized',
    gaveUp: (_, { gaveUp }: VisitorOutput) => gaveUp !== null,
    decides: (_, { answer }: ResidentOutput) => answer === 'authorized' || answer === 'denied',
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
      onDone: { guard: 'goesOn', target: '.concluding', actions: end('expired', 'too-long') },
    },
  ],
  on: {
    'visitor.hungUp': {
      target: '.concluding',
      actions: [drop('visitor'), end('abandoned', 'visitor-left')],
    },
    'call.restored': { actions: RESTORE_LEGS },
    'resident.joined': { guard: not('residentIsHere'), actions: 'connectResident' },
    'resident.hungUp': { actions: drop('resident') },
    'decision.given': {
      target: '.concluding',
      actions: { type: 'decide', params: ({ event: { verdict, by, via } }) => ({ verdict, by, via }) },
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
  initial: 'attending',
  states: {
    attending: {
      invoke: {
        src: 'visitor',
        id: 'visitor',
        input: ({ context: { callId, welcome, settings } }) => ({
          callId,
          welcome,
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
          { target: 'contacting', actions: assign({ attempts: ({ event }) => event.output.attempts ?? [] }) },
        ],
        onError: { target: 'concluding', actions: end('unreachable', 'fault') },
      },
    },
    contacting: {
      always: { guard: 'residentIsHere', target: 'consulting' },
      on: { 'contact.ringing': { actions: assign({ ringing: ({ event }) => event.kind }) } },
      invoke: {
        src: 'contact',
        id: 'contact',
        input: ({ context: { callId, unit, attempts, searches, settings } }) => ({
          callId,
          unit: unit!,
          attempts,
          searches,
          pauseMs: settings.pauseMs,
        }),
        onDone: {
          target: 'concluding',
          actions: { type: 'end', params: ({ event }) => BY_MISSING[event.output.missed] },
        },
        onError: { target: 'concluding', actions: end('unreachable', 'fault') },
      },
    },
    consulting: {
      invoke: [
        {
          src: 'tone',
          id: 'hold',
          input: ({ context }) => ({ callId: context.callId, role: 'visitor', tone: 'hold' }),
        },
        {
          src: 'say',
          id: 'tellVisitor',
          input: ({ context }) => ({
            callId: context.callId,
            role: 'visitor',
            pieces: [context.ringing === 'operator' ? 'operator-answered' : 'resident-answered'],
          }),
        },
        {
          src: 'resident',
          id: 'resident',
          input: ({ context: { callId, unit, identity, purpose, settings } }) => ({
            callId,
            unit,
            identity,
            purpose,
            transcribes: settings.transcribes,
            bargesIn: settings.bargesIn,
          }),
          onDone: [
            RESIDENT_DECIDES,
            { guard: { type: 'wantsTalk', params: ({ event }) => event.output }, target: 'talking' },
            { target: 'concluding', actions: end('unanswered', 'undecided') },
          ],
          onError: { target: 'concluding', actions: end('unreachable', 'fault') },
        },
      ],
      on: {
        'resident.key.pressed': { actions: sendTo('resident', ({ event }) => pressed(event)) },
        'resident.speech.started': { actions: sendTo('resident', { type: 'speech.started' }) },
        'resident.hungUp': RESIDENT_LEFT,
      },
    },
    talking: {
      invoke: {
        src: 'talk',
        id: 'talk',
        input: ({ context: { callId, settings } }) => ({ callId, talkMs: settings.talkMs }),
        onDone: [RESIDENT_DECIDES, { target: 'concluding', actions: end('unanswered', 'undecided') }],
        onError: { target: 'concluding', actions: end('unreachable', 'fault') },
      },
      on: {
        'resident.key.pressed': { actions: sendTo('talk', ({ event }) => pressed(event)) },
        'resident.hungUp': RESIDENT_LEFT,
      },
    },
    concluding: {
      always: { guard: 'nobodyIsHere', target: 'ended' },
      invoke: {
        src: 'concluding',
        id: 'concluding',
        input: ({ context: { callId, ending, settings } }) => ({
          callId,
          ending: ending!,
          hangupDelayMs: settings.hangupDelayMs,
        }),
      },
      on: {
        'legs.hangUp': { actions: { type: 'tellLegs', params: 'leg.hangUp' } },
        'visitor.forced': { actions: sendTo('concluding', { type: 'leg.forced' }) },
        'resident.forced': { actions: sendTo('concluding', { type: 'leg.forced' }) },
        'visitor.hungUp': { actions: drop('visitor') },
        // the first decision stands, and who comes now is told by the service that the visit is over
        'decision.given': {},
        'resident.joined': {},
        'call.end': {},
      },
    },
    ended: { type: 'final' },
  },
  output: ({ context }) => resultOf(context),
})

function end(outcome: Outcome, reason: Reason) {
  return { type: 'end', params: { outcome, reason } } as const
}

function drop(role: Role) {
  return { type: 'dropLeg', params: role } as const
}

/** What was decided by whoever is on the resident's leg. */
function decisionOf({ ringing }: CallContext, { answer, via }: ResidentOutput): Omit<Decision, 'at'> {
  return { verdict: answer as Verdict, by: ringing === 'operator' ? 'operator' : 'resident', via }
}

function legInput({ callId, settings }: CallContext, role: Role) {
  return { callId, role, graceMs: settings.hangupGraceMs }
}

function pressed({ key }: { key: string }) {
  return { type: 'key.pressed', key } as const
}
