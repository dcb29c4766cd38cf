import { assign, enqueueActions, not, sendTo, setup, spawnChild, stopChild } from 'xstate'
import { type Attempt, type ContactFact, contactMachine, type Missed } from './contact.ts'
import { deadline, inMs } from './deadline.ts'
import { type LegFact, legMachine } from './leg.ts'
import { type Decision, type Ending, goodbye, type Outcome, type Reason } from './outcome.ts'
import { lastingPort, port } from './port.ts'
import { type Answer, RESIDENT_KEYS, residentMachine, type Verdict } from './resident.ts'
import { type Piece, type Recording, type Role, say } from './speech.ts'
import { type Unit, type VisitorOutput, visitorMachine } from './visitor.ts'

/** Times in ms, fixed when the call starts. */
export interface CallSettings {
  /** Whether speech is transcribed; otherwise only keys count. */
  transcribes: boolean
  /** Whether speech interrupts what is said; a setting of the tenant. */
  bargesIn: boolean
  /** Between two attempts to reach the resident. */
  pauseMs: number
  talkMs: number
  callMaxMs: number
  hangupDelayMs: number
  hangupGraceMs: number
}

/** What the rules say of a visit before anybody is rung, and whom to ring where they leave it open. */
export type Matched =
  | { verdict: 'contact'; attempts: Attempt[] }
  | { verdict: 'blocked' | 'authorized'; attempts?: undefined }

export interface CallInput {
  callId: string
  /** Milliseconds since the epoch. */
  startedAt: number
  /** The condominium's name, if it is to be spoken. */
  welcome: string | null
  settings: CallSettings
}

export interface CallContext extends CallInput {
  /** The legs that are connected now. */
  legs: Role[]
  unit: Unit | null
  identity: Recording | null
  purpose: Recording | null
  attempts: Attempt[]
  /** Whom the last attempt rang, and so who answers. */
  ringing: Attempt['kind']
  ending: Ending | null
  decision: Decision | null
  answeredAt: number | null
  /** When both goodbyes had begun. */
  farewellAt: number
}

export type CallEvent =
  | LegFact
  | ContactFact
  | { type: 'resident.joined' }
  | { type: 'decision.given'; verdict: Verdict; by: string; via: Decision['via'] }
  | { type: 'leg.hangUp'; role: Role }
  | { type: 'call.end'; reason: 'closing' | 'fault' }

export interface CallOutput {
  outcome: Outcome
  reason: Reason | null
  decision: Decision | null
  /** ms since the call started, and all in all. */
  durations: { total: number; toAnswer: number | null; toDecision: number | null }
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
    say,
    deadline,
    /** What the rules say, and who may be rung for the unit; nobody is an empty list. */
    match: port<Matched, { callId: string; unit: Unit }>('match'),
    tone: lastingPort<{ callId: string; role: Role; tone: 'ringback' | 'hold' }>('tone'),
    bridge: lastingPort<{ callId: string }>('bridge'),
    /** Speaks to both legs; resolves when all was played out, with the moment (ms since the epoch) both had begun. */
    sayBoth: port<{ beganAt: number }, { callId: string; words: Record<Role, Piece[]> }>('sayBoth'),
  },
  actions: {
    connectResident: spawnChild('leg', {
      id: 'residentLeg',
      input: ({ context }) => legInput(context, 'resident'),
    }),
    addResident: assign({
      legs: ({ context }) => [...context.legs, 'resident' as const],
      answeredAt: ({ context }) => context.answeredAt ?? Date.now(),
    }),
    // a finished child stays in the snapshot until it is stopped
    stopVisitorLeg: stopChild('visitorLeg'),
    stopResidentLeg: stopChild('residentLeg'),
    removeVisitor: assign({ legs: ({ context }) => context.legs.filter((role) => role !== 'visitor') }),
    removeResident: assign({ legs: ({ context }) => context.legs.filter((role) => role !== 'resident') }),
    end: assign((_, ending: Ending) => ({ ending })),
    decide: assign((_, { verdict, by, via }: Omit<Decision, 'at'>) => ({
      ending: { outcome: verdict, reason: null },
      decision: { verdict, by, via, at: Date.now() },
    })),
    hangUpLegs: enqueueActions(({ context, enqueue }) => {
      for (const role of context.legs) enqueue.sendTo(`${role}Leg`, { type: 'leg.hangUp' })
    }),
  },
  guards: {
    goesOn: ({ context }) => context.ending === null,
    residentIsHere: ({ context }) => context.legs.includes('resident'),
    nobodyIsHere: ({ context }) => context.legs.length === 0,
    isHere: ({ context }, role: Role) => context.legs.includes(role),
    isBlocked: (_, { verdict }: Matched) => verdict === 'blocked',
    isOpen: (_, { verdict }: Matched) => verdict === 'authorized',
    visitorIsSilent: (_, { gaveUp }: VisitorOutput) => gaveUp === 'silent',
    unitIsUnknown: (_, { gaveUp }: VisitorOutput) => gaveUp === 'unknown-unit',
    rangInVain: (_, missed: Missed) => missed === 'unanswered',
    isAuthorized: (_, answer: Answer) => answer === 'authorized',
    isDenied: (_, answer: Answer) => answer === 'denied',
    wantsTalk: (_, answer: Answer) => answer === 'talk',
    isAuthorizeKey: (_, key: string) => key === RESIDENT_KEYS.authorize,
    isDenyKey: (_, key: string) => key === RESIDENT_KEYS.deny,
  },
}).createMachine({
  id: 'call',
  context: ({ input }) => ({
    ...input,
    legs: ['visitor'],
    unit: null,
    identity: null,
    purpose: null,
    attempts: [],
    ringing: 'call',
    ending: null,
    decision: null,
    answeredAt: null,
    farewellAt: 0,
  }),
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
      actions: ['removeVisitor', 'stopVisitorLeg', end('abandoned', 'visitor-left')],
    },
    'resident.joined': {
      guard: not('residentIsHere'),
      actions: ['connectResident', 'addResident'],
    },
    'resident.hungUp': { actions: ['removeResident', 'stopResidentLeg'] },
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
            guard: { type: 'visitorIsSilent', params: ({ event }) => event.output },
            target: 'concluding',
            actions: end('abandoned', 'visitor-silent'),
          },
          {
            guard: { type: 'unitIsUnknown', params: ({ event }) => event.output },
            target: 'concluding',
            actions: end('unreachable', 'unknown-unit'),
          },
          {
            target: 'matching',
            actions: assign(({ event: { output } }) => ({
              unit: output.unit,
              identity: output.identity,
              purpose: output.purpose,
            })),
          },
        ],
        onError: { target: 'concluding', actions: end('unreachable', 'fault') },
      },
      on: {
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
            target: 'contacting',
            actions: assign({ attempts: ({ event }) => event.output.attempts ?? [] }),
          },
        ],
        onError: { target: 'concluding', actions: end('unreachable', 'fault') },
      },
    },
    contacting: {
      always: { guard: 'residentIsHere', target: 'consulting' },
      on: { 'contact.ringing': { actions: assign({ ringing: ({ event }) => event.kind }) } },
      invoke: [
        {
          src: 'tone',
          id: 'ringback',
          input: ({ context }) => ({ callId: context.callId, role: 'visitor', tone: 'ringback' }),
        },
        {
          src: 'contact',
          id: 'contact',
          input: ({ context: { callId, unit, attempts, settings } }) => ({
            callId,
            unit: unit!,
            attempts,
            pauseMs: settings.pauseMs,
          }),
          onDone: [
            {
              guard: { type: 'rangInVain', params: ({ event }) => event.output.missed },
              target: 'concluding',
              actions: end('unanswered', 'no-answer'),
            },
            { target: 'concluding', actions: end('unreachable', 'no-contact') },
          ],
          onError: { target: 'concluding', actions: end('unreachable', 'fault') },
        },
      ],
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
            {
              guard: { type: 'isAuthorized', params: ({ event }) => event.output.answer },
              target: 'concluding',
              actions: {
                type: 'decide',
                params: ({ context, event }) => ({
                  verdict: 'authorized',
                  by: answering(context),
                  via: event.output.via,
                }),
              },
            },
            {
              guard: { type: 'isDenied', params: ({ event }) => event.output.answer },
              target: 'concluding',
              actions: {
                type: 'decide',
                params: ({ context, event }) => ({
                  verdict: 'denied',
                  by: answering(context),
                  via: event.output.via,
                }),
              },
            },
            { guard: { type: 'wantsTalk', params: ({ event }) => event.output.answer }, target: 'talking' },
            { target: 'concluding', actions: end('unanswered', 'undecided') },
          ],
          onError: { target: 'concluding', actions: end('unreachable', 'fault') },
        },
      ],
      on: {
        'resident.key.pressed': { actions: sendTo('resident', ({ event }) => pressed(event)) },
        'resident.speech.started': { actions: sendTo('resident', { type: 'speech.started' }) },
        'resident.hungUp': {
          target: 'concluding',
          actions: ['removeResident', 'stopResidentLeg', end('unanswered', 'resident-left')],
        },
      },
    },
    talking: {
      invoke: {
        src: 'deadline',
        id: 'talkDeadline',
        input: ({ context }) => inMs(context.settings.talkMs),
        onDone: { target: 'concluding', actions: end('unanswered', 'undecided') },
      },
      on: {
        'resident.key.pressed': [
          {
            guard: { type: 'isAuthorizeKey', params: ({ event }) => event.key },
            target: 'concluding',
            actions: {
              type: 'decide',
              params: ({ context }) => ({ verdict: 'authorized', by: answering(context), via: 'key' }),
            },
          },
          {
            guard: { type: 'isDenyKey', params: ({ event }) => event.key },
            target: 'concluding',
            actions: {
              type: 'decide',
              params: ({ context }) => ({ verdict: 'denied', by: answering(context), via: 'key' }),
            },
          },
        ],
        'resident.hungUp': {
          target: 'concluding',
          actions: ['removeResident', 'stopResidentLeg', end('unanswered', 'resident-left')],
        },
      },
      initial: 'introducing',
      states: {
        introducing: {
          description: 'each is told that the other comes on the line',
          invoke: {
            src: 'sayBoth',
            id: 'introduce',
            input: ({ context }) => ({
              callId: context.callId,
              words: { visitor: ['talk-visitor'], resident: ['talk-resident'] },
            }),
            onDone: 'bridged',
          },
        },
        bridged: {
          invoke: { src: 'bridge', id: 'bridge', input: ({ context }) => ({ callId: context.callId }) },
        },
      },
    },
    concluding: {
      always: { guard: 'nobodyIsHere', target: 'ended' },
      on: {
        'visitor.hungUp': { actions: ['removeVisitor', 'stopVisitorLeg'] },
        // the first decision stands, and who comes now is told by the service that the visit is over
        'decision.given': {},
        'resident.joined': {},
        'call.end': {},
      },
      initial: 'farewell',
      states: {
        farewell: {
          invoke: {
            src: 'sayBoth',
            id: 'sayGoodbye',
            input: ({ context }) => ({ callId: context.callId, words: goodbye(context.ending!) }),
            onDone: {
              target: 'lingering',
              actions: assign({ farewellAt: ({ event }) => event.output.beganAt }),
            },
          },
        },
        lingering: {
          invoke: {
            src: 'deadline',
            id: 'hangupDelay',
            input: ({ context }) => ({ at: context.farewellAt + context.settings.hangupDelayMs }),
            onDone: 'hangingUp',
          },
        },
        hangingUp: {
          entry: 'hangUpLegs',
          on: { 'visitor.forced': 'forcing', 'resident.forced': 'forcing' },
        },
        forcing: {
          description: 'a leg did not close after 0x00; it closes itself and tells',
        },
      },
    },
    ended: { type: 'final' },
  },
  output: ({ context }) => ({
    outcome: context.ending!.outcome,
    reason: context.ending!.reason,
    decision: context.decision,
    durations: {
      total: Date.now() - context.startedAt,
      toAnswer: since(context, context.answeredAt),
      toDecision: since(context, context.decision?.at ?? null),
    },
  }),
})

function end(outcome: Outcome, reason: Reason) {
  return { type: 'end', params: { outcome, reason } } as const
}

/** Who is on the resident's leg. */
function answering({ ringing }: CallContext): string {
  return ringing === 'operator' ? 'operator' : 'resident'
}

function legInput({ callId, settings }: CallContext, role: Role) {
  return { callId, role, graceMs: settings.hangupGraceMs }
}

function pressed({ key }: { key: string }) {
  return { type: 'key.pressed', key } as const
}

function since({ startedAt }: CallContext, at: number | null): number | null {
  return at === null ? null : at - startedAt
}
