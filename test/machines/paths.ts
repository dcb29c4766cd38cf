import {
  askingMachine,
  attemptMachine,
  type BrokerFailure,
  brokerMachine,
  type ContactStep,
  callMachine,
  concludingMachine,
  contactMachine,
  deliveryMachine,
  legMachine,
  listeningMachine,
  type OpenAttempt,
  PROVING,
  provingMachine,
  questionMachine,
  RESIDENT_KEYS,
  type Recording,
  type RecordingName,
  type Role,
  reassuringMachine,
  residentMachine,
  type SpokenAnswer,
  serviceMachine,
  talkMachine,
  type Unit,
  unitMachine,
  VISITOR_PATIENCE,
  visitorMachine,
} from '../../machines/index.ts'
import { paths, SCENE_SETTINGS } from '../../src/testing/index.ts'

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

/** The same machine waits for the visitor's words and for the resident's. */
export const listening = listeningMachine<SpokenAnswer>('listen')

/** The visitor is back after the process was lost. */
const RESTORED = { type: 'call.restored' as const }
const press = (keys: string) => [...keys].map((key) => ({ type: 'key.pressed' as const, key }))
const recorded = (name: RecordingName): Recording[] =>
  [true, false].map((heard) => ({ name, heard, ms: heard ? 1500 : 0 }))
const UNSAID = { ...NOBODY, purposeSaid: false }
const SHARED = { ...UNSAID, shared: { number: '1', blocks: [] } }
const SAID_UNIT = { ...UNSAID, unit: UNIT }
const SAID_NAME = { ...SAID_UNIT, identity: { name: 'identity', heard: true, ms: 1500 } }
const attempts = (count: number): ContactStep[] =>
  Array.from({ length: count }, (_, at) => ({
    kind: at === 0 ? 'call' : 'operator',
    contact: { residentId: `${at}`, name: 'Ana', number: `110${at}` },
    ringMs: 30_000,
  }))

export const walkVisitor = (each: Each) =>
  [NOBODY, { ...NOBODY, unit: UNIT }].flatMap((said) =>
    paths(visitorMachine, {
      each,
      input: { callId: 'c', transcribes: true, bargesIn: true, said },
      events: [...press('1*#'), { type: 'speech.started' }, RESTORED],
      outputs: {
        unit: [
          { ...SAID_UNIT, gaveUp: null, transcribes: true },
          { ...SAID_NAME, gaveUp: null, transcribes: true },
          { ...SAID_NAME, purposeSaid: true, gaveUp: null, transcribes: true },
          { ...UNSAID, gaveUp: 'silent', transcribes: false },
        ],
        question: [
          { recording: recorded('identity')[0], corrects: false },
          { recording: null, corrects: false },
          { recording: null, corrects: true },
        ],
      },
      tellApart: ({ gaveUp, transcribes, purposeSaid, ...said }) => [
        gaveUp,
        transcribes,
        purposeSaid,
        ...[said.unit, said.identity, said.purpose].map((it) => it !== null),
      ],
    }),
  )

export const walkUnit = (each: Each) =>
  ['', '1'].flatMap((digits) =>
    paths(unitMachine, {
      each,
      input: { callId: 'c', transcribes: true, bargesIn: true, digits },
      events: [...press('1*#'), { type: 'speech.started' }, { type: 'speech.failed' }, RESTORED],
      outputs: {
        findUnit: [UNIT, 'several', null],
        listening: [
          { understood: null },
          ...[UNSAID, SHARED, SAID_UNIT, SAID_NAME].map((understood) => ({ understood })),
        ],
      },
      tellApart: ({ asked, missed, gaveUp, transcribes, unit, identity, asking }) => [
        asking?.blocks.length,
        Math.min(asked, VISITOR_PATIENCE.asks),
        missed,
        gaveUp,
        transcribes,
        unit !== null,
        identity !== null,
      ],
    }),
  )

export const walkListening = (each: Each) =>
  [true, false].flatMap((speaks) =>
    paths(listening, {
      each,
      input: { callId: 'c', transcribes: true, speaks, silenceMs: 7000, speechMs: 15_000 },
      events: [{ type: 'speech.started' }],
      outputs: { listen: ['yes'] },
    }),
  )

export const walkQuestion = (each: Each) =>
  paths(questionMachine, {
    each,
    input: { callId: 'c', name: 'identity', asks: [['ask-name'], ['ask-name-again']] },
    events: [...press('1*'), RESTORED],
    outputs: { record: recorded('identity') },
  })

const OPEN: OpenAttempt = { attemptId: 'c-1', kind: 'call', residentId: '1' }
const ASK: ContactStep = { kind: 'whatsapp', waitMs: 60_000 }

const TOGETHER: ContactStep = {
  kind: 'together',
  contacts: ['1', '2'].map((residentId) => ({ residentId, name: 'Ana', number: `110${residentId}` })),
  ringMs: 30_000,
}
const ATTEMPT_IDS = ['c-1', 'c-2', 'c-r1-1', 'c-r1-2', 'c-1-1', 'c-1-2']

export const walkContact = (each: Each) =>
  [
    [],
    attempts(1),
    attempts(2),
    [ASK],
    [ASK, ...attempts(1)],
    [...attempts(1), ASK],
    [TOGETHER, ...attempts(1)],
  ].flatMap((plan) =>
    paths(contactMachine, {
      each,
      input: { callId: 'c', unit: UNIT, attempts: plan, pauseMs: 3000 },
      events: [
        ...ATTEMPT_IDS.flatMap((attemptId) => [
          { type: 'attempt.ringing' as const, attemptId },
          ...(['busy', 'unanswered', 'hopeless'] as const).map((end) => ({
            type: 'attempt.ended' as const,
            attemptId,
            end,
          })),
        ]),
        { type: 'line.answered', attemptId: null },
        ...(['undecided', 'left', 'lost', 'machine', 'silent'] as const).map((how) => ({
          type: 'line.ended' as const,
          how,
        })),
      ],
      outputs: { asking: [{ asked: true }, { asked: false }] },
      tellApart: ({ begun, rings, answers, repeats, ringing, hopeless, isRefused }) => [
        begun,
        rings > 0,
        answers > 0,
        repeats > 0,
        ringing.map(({ attemptId }) => attemptId),
        hopeless,
        isRefused,
      ],
    }),
  )

export const walkAttempt = (each: Each) =>
  paths(attemptMachine, {
    each,
    input: {
      callId: 'c',
      attemptId: 'c-1',
      contact: { residentId: '1', name: 'Ana', number: '1101' },
      unit: UNIT,
      ringMs: 30_000,
    },
    events: (['busy', 'declined'] as const).map((end) => ({ type: 'ring.ended' as const, end })),
    failures: { dial: [new Error('busy'), Object.assign(new Error('gone'), { code: 'DIALER_FAILED' })] },
  })

export const walkReassuring = (each: Each) =>
  paths(reassuringMachine, { each, input: { callId: 'c', prompt: 'still-calling' } })

export const walkAsking = (each: Each) =>
  paths(askingMachine, {
    each,
    input: { callId: 'c', unit: UNIT, waitMs: 60_000 },
    failures: { ask: [new Error('nobody reads')] },
  })

/** Speech before the proof in whole pieces of what ends it. */
const SPOKEN_MS = [500, PROVING.speechMs]

export const walkProving = (each: Each) =>
  (['natural', 'key', 'off'] as const).flatMap((check) =>
    [true, false].flatMap((leavesMessage) =>
      paths(provingMachine, {
        each,
        input: { callId: 'c', unit: UNIT, check, transcribes: true, leavesMessage },
        events: [
          ...press('1'),
          { type: 'speech.started' },
          ...SPOKEN_MS.map((ms) => ({ type: 'speech.ended' as const, ms })),
          { type: 'beep.heard' },
          ...(['person', 'machine'] as const).map((answeredBy) => ({
            type: 'line.screened' as const,
            answeredBy,
          })),
        ],
        outputs: { listenToGreeting: ['person', 'machine', 'unknown'] },
        tellApart: ({ asked, spokenMs, answeredBy, greeted }) => [
          asked,
          Math.min(spokenMs, PROVING.totalMs),
          answeredBy,
          greeted,
        ],
      }),
    ),
  )

const ANSWERED = (
  ['yes', 'likely-yes', 'yes-needs-key', 'no', 'talk', 'who', 'machine', 'unclear', null] as const
).map((understood) => ({ understood }))

export const walkResident = (each: Each) =>
  paths(residentMachine, {
    each,
    input: { callId: 'c', ...NOBODY, transcribes: true, bargesIn: true },
    events: [...press('12349'), { type: 'speech.started' }, { type: 'speech.failed' }],
    outputs: { listening: ANSWERED, hearOut: ANSWERED },
    tellApart: ({ answer, via, asked, confirmations, transcribes }) => [
      answer,
      via,
      asked,
      confirmations,
      transcribes,
    ],
  })

export const walkTalk = (each: Each) =>
  paths(talkMachine, {
    each,
    input: { callId: 'c', talkMs: 120_000 },
    events: press('129'),
    outputs: { introduce: [{ beganAt: 0 }] },
  })

export const walkConcluding = (each: Each) =>
  paths(concludingMachine, {
    each,
    input: { callId: 'c', ending: { outcome: 'authorized', reason: null }, hangupDelayMs: 5000 },
    events: [{ type: 'leg.forced' }],
    outputs: { sayGoodbye: [{ beganAt: 0 }] },
  })

export const walkLeg = (each: Each) =>
  paths(legMachine, {
    each,
    input: { callId: 'c', role: 'visitor', graceMs: 1000 },
    events: [
      ...press('1'),
      { type: 'speech.started' },
      { type: 'speech.ended', ms: 500 },
      { type: 'beep.heard' },
      { type: 'saying' },
      { type: 'said' },
      { type: 'hungUp', how: 'fin' },
      { type: 'leg.hangUp' },
      RESTORED,
    ],
  })

export const walkService = (each: Each) =>
  paths(serviceMachine, {
    each,
    input: { drainMs: 1000 },
    events: [{ type: 'service.drain' }, { type: 'service.stop' }],
  })

export const walkDelivery = (each: Each) =>
  [0, 2].flatMap((maxRetries) =>
    paths(deliveryMachine, {
      each,
      input: { maxRetries },
      events: [
        { type: 'message.taken' },
        { type: 'message.accepted' },
        { type: 'message.refused', final: false },
        { type: 'message.refused', final: true },
        { type: 'message.released' },
        { type: 'message.expired' },
        { type: 'message.cancelled' },
        { type: 'message.redriven' },
        { type: 'message.bounced' },
      ],
    }),
  )

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
        reconnect: [fault('BROKER_REFUSED'), fault('BROKER_LOGIN', true)],
      },
      // as many as make it give up
      tellApart: ({ tries, failure, lately }) => [tries, failure?.code, Math.min(lately.length, 10)],
    }),
  )

const fromLeg = (role: Role) => [
  ...[RESIDENT_KEYS.authorize, RESIDENT_KEYS.deny, '*'].map((key) => ({
    type: `${role}.key.pressed` as const,
    key,
  })),
  { type: `${role}.speech.started` as const },
  { type: `${role}.speech.ended` as const, ms: 500 },
  { type: `${role}.beep.heard` as const },
  { type: `${role}.hungUp` as const, how: 'fin' as const },
  { type: `${role}.forced` as const },
  { type: 'leg.hangUp' as const, role },
]

export const walkCall = (each: Each) =>
  (
    [
      ['end', true],
      ['next', false],
    ] as const
  ).flatMap(([afterTalk, ringsEarly]) =>
    paths(callMachine, {
      each,
      input: {
        callId: 'c',
        startedAt: 0,
        welcome: null,
        settings: { ...SCENE_SETTINGS, afterTalk, ringsEarly },
      },
      events: [
        ...ROLES.flatMap(fromLeg),
        RESTORED,
        { type: 'resident.joined' },
        { type: 'resident.hungUp', how: 'lost' },
        { type: 'contact.answered', attempt: OPEN },
        { type: 'contact.ended', attempt: { ...OPEN, end: 'busy' } },
        { type: 'visitor.chose', unit: UNIT },
        { type: 'decision.given', verdict: 'denied', by: 'porter', via: 'api' },
        { type: 'call.end', reason: 'closing' },
        { type: 'legs.hangUp' },
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
        contact: (['undecided', 'unanswered', 'unreachable'] as const).map((missed) => ({ missed })),
        proving: (['person', 'machine', 'nobody'] as const).map((answeredBy) => ({
          answeredBy,
          greeted: true,
        })),
        resident: ['authorized', 'denied', 'talk', 'machine', 'undecided'].map((answer) => ({
          answer,
          via: 'key',
        })),
        talk: ['authorized', 'denied', 'undecided'].map((answer) => ({ answer, via: 'key' })),
      },
      tellApart: ({ legs, ending, decision, isOverdue, unit }) => [
        unit !== null,
        isOverdue,
        ROLES.filter((role) => legs.includes(role)),
        ending,
        decision && [decision.verdict, decision.via],
      ],
    }),
  )
