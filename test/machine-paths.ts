import {
  type Attempt,
  type BrokerFailure,
  brokerMachine,
  callMachine,
  contactMachine,
  legMachine,
  RESIDENT_KEYS,
  type Recording,
  type RecordingName,
  type Role,
  residentMachine,
  serviceMachine,
  type Unit,
  VISITOR_PATIENCE,
  visitorMachine,
} from '../machines/index.ts'
import { paths, SCENE_SETTINGS } from '../src/testing.ts'

/** What may happen to each machine: the events from outside, and what its children and ports may come back with. */

type Each = 'state' | 'transition' | 'situation'

const UNIT: Unit = { id: '1', number: '101', label: '101' }
const NOBODY = { unit: null, identity: null, purpose: null }
export const ROLES = ['visitor', 'resident'] as const

const BROKER_SETTINGS = {
  attempts: 2,
  retryMs: 1000,
  blockedMs: 5000,
  recoveryAttempts: 2,
  recoveryMaxMs: 4000,
}

const press = (keys: string) => [...keys].map((key) => ({ type: 'key.pressed' as const, key }))
const recorded = (name: RecordingName): Recording[] =>
  [true, false].map((heard) => ({ name, heard, ms: heard ? 1500 : 0 }))
const UNSAID = { ...NOBODY, purposeSaid: false }
const SAID_UNIT = { ...UNSAID, unit: UNIT }
const SAID_NAME = { ...SAID_UNIT, identity: { name: 'identity', heard: true, ms: 1500 } }
const attempts = (count: number): Attempt[] =>
  Array.from({ length: count }, (_, at) => ({
    kind: at === 0 ? 'call' : 'operator',
    contact: { residentId: `${at}`, name: 'Ana', number: `110${at}` },
    ringMs: 30_000,
  }))

export const walkVisitor = (each: Each) =>
  paths(visitorMachine, {
    each,
    input: { callId: 'c', transcribes: true, bargesIn: true },
    events: [...press('1*#'), { type: 'speech.started' }],
    outputs: {
      findUnit: [UNIT, null],
      listen: [UNSAID, SAID_UNIT, SAID_NAME, { ...SAID_NAME, purposeSaid: true }],
      recordName: recorded('identity'),
      recordPurpose: recorded('purpose'),
    },
    tellApart: ({ asked, missed, gaveUp, transcribes, purposeSaid, ...said }) => [
      Math.min(asked, VISITOR_PATIENCE.asks),
      missed,
      gaveUp,
      transcribes,
      purposeSaid,
      ...[said.unit, said.identity, said.purpose].map((it) => it !== null),
    ],
  })

export const walkContact = (each: Each) =>
  [0, 1, 2].flatMap((count) =>
    paths(contactMachine, {
      each,
      input: { callId: 'c', unit: UNIT, attempts: attempts(count), pauseMs: 3000 },
      failures: { dial: [new Error('busy'), Object.assign(new Error('gone'), { code: 'DIALER_FAILED' })] },
    }),
  )

export const walkResident = (each: Each) =>
  paths(residentMachine, {
    each,
    input: { callId: 'c', ...NOBODY, transcribes: true, bargesIn: true },
    events: [...press('12349'), { type: 'speech.started' }],
    outputs: { listen: ['yes', 'no', 'talk', 'who', 'unclear'] },
    tellApart: ({ answer, via, asked, transcribes }) => [answer, via, asked, transcribes],
  })

export const walkLeg = (each: Each) =>
  paths(legMachine, {
    each,
    input: { callId: 'c', role: 'visitor', graceMs: 1000 },
    events: [
      ...press('1'),
      { type: 'speech.started' },
      { type: 'saying' },
      { type: 'said' },
      { type: 'hungUp', how: 'fin' },
      { type: 'leg.hangUp' },
    ],
  })

export const walkService = (each: Each) =>
  paths(serviceMachine, {
    each,
    input: { drainMs: 1000 },
    events: [{ type: 'service.drain' }, { type: 'service.stop' }],
  })

const fault = (code: string, final = false): BrokerFailure => ({ code, details: {}, final })

export const walkBroker = (each: Each) =>
  (['crash', 'recover'] as const).flatMap((onFailure) =>
    paths(brokerMachine, {
      each,
      input: { settings: { ...BROKER_SETTINGS, onFailure } },
      events: [
        { type: 'broker.blocked', reason: 'memory' },
        { type: 'broker.unblocked' },
        { type: 'broker.lost', failure: fault('BROKER_LOST') },
        { type: 'broker.faulted', failure: fault('BROKER_TIMEOUT') },
        { type: 'broker.faulted', failure: fault('BROKER_CHANNEL') },
        { type: 'broker.close' },
      ],
      failures: {
        connect: [fault('BROKER_REFUSED'), fault('BROKER_LOGIN', true)],
        reconnect: [fault('BROKER_REFUSED')],
      },
      // losses are only counted
      tellApart: ({ tries, failure }) => [tries, failure?.code],
    }),
  )

const fromLeg = (role: Role) => [
  ...[RESIDENT_KEYS.authorize, RESIDENT_KEYS.deny, '9'].map((key) => ({
    type: `${role}.key.pressed` as const,
    key,
  })),
  { type: `${role}.speech.started` as const },
  { type: `${role}.hungUp` as const, how: 'fin' as const },
  { type: `${role}.forced` as const },
  { type: 'leg.hangUp' as const, role },
]

export const walkCall = (each: Each) =>
  paths(callMachine, {
    each,
    input: { callId: 'c', startedAt: 0, welcome: null, settings: SCENE_SETTINGS },
    events: [
      ...ROLES.flatMap(fromLeg),
      { type: 'resident.joined' },
      { type: 'contact.ringing', kind: 'operator' },
      { type: 'decision.given', verdict: 'denied', by: 'porter', via: 'api' },
      { type: 'call.end', reason: 'closing' },
    ],
    outputs: {
      visitor: [
        { ...NOBODY, unit: UNIT, gaveUp: null },
        { ...NOBODY, gaveUp: 'silent' },
        { ...NOBODY, gaveUp: 'unknown-unit' },
      ],
      match: [
        { verdict: 'contact', attempts: [] },
        { verdict: 'contact', attempts: attempts(1) },
        { verdict: 'blocked' },
        { verdict: 'authorized' },
      ],
      contact: [{ missed: 'unanswered' }, { missed: 'unreachable' }],
      resident: ['authorized', 'denied', 'talk', 'undecided'].map((answer) => ({ answer, via: 'key' })),
      introduce: [{ beganAt: 0 }],
      sayGoodbye: [{ beganAt: 0 }],
    },
    tellApart: ({ legs, ending, decision }) => [
      ROLES.filter((role) => legs.includes(role)),
      ending,
      decision && [decision.verdict, decision.via],
    ],
  })
