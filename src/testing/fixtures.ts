import {
  type Answer,
  type askingMachine,
  type attemptMachine,
  type BrokerFailure,
  type brokerMachine,
  type ContactStep,
  type callMachine,
  type concludingMachine,
  type contactMachine,
  type deliveryMachine,
  type Greeting,
  type HungUp,
  type LineEnd,
  type legMachine,
  type listeningMachine,
  type Matched,
  type Missed,
  type OpenAttempt,
  PROVING,
  type ProvingOutput,
  type provingMachine,
  type questionMachine,
  RESIDENT_KEYS,
  type Recording,
  type RecordingName,
  type RingEnd,
  type RingResult,
  type Role,
  type reassuringMachine,
  type residentMachine,
  type Screened,
  type SpokenAnswer,
  type serviceMachine,
  type talkMachine,
  type Unit,
  type unitMachine,
  type Verdict,
  VISITOR_PATIENCE,
  type visitorMachine,
} from '../../machines/index.ts'
import { type AnyFixture, done, each, type Fixture, failed } from './fixture.ts'
import { SCENE_SETTINGS } from './stage.ts'

const callId = '00000000-0000-4000-8000-000000000001'
const unit: Unit = { id: '1', number: '101', label: '101' }
const nobody = { unit: null, identity: null, purpose: null }

const deadline = { 'the time of {id} is over': done() }
const say = {
  '{id} was said': done({ ms: 1000, interrupted: false }),
  '{id} cannot be said': failed(new Error('no sound')),
}
const sayBoth = {
  '{id} was said to both': done({ beganAt: 1000 }),
  '{id} cannot be said': failed(new Error('no sound')),
}
const lasting = {}
const broken = { '{id} fails': failed(new Error('broken')) }
/** The visitor is back after the process was lost. */
const restored = { 'the call is restored': {} }
const speech = { 'somebody begins to speak': {} }

const press = (keys: string) => Object.fromEntries([...keys].map((key) => [`key ${key} is pressed`, { key }]))

/** Counts each of which ends a dialogue by itself: where several have begun, nothing new comes of it. */
const alone = (counts: (number | string)[]) => (counts.filter(Boolean).length > 1 ? 'several' : counts)

const recorded = (name: RecordingName, heard: boolean): Recording => ({ name, heard, ms: heard ? 1500 : 0 })
const unsaid = { ...nobody, purposeSaid: false }
const shared = { ...unsaid, shared: { number: '1', blocks: [] } }
const saidUnit = { ...unsaid, unit }
const saidName = { ...saidUnit, identity: recorded('identity', true) }

const contact = (at: number) => ({ residentId: `${at}`, name: 'Ana', number: `110${at}` })
const ringing = (count: number): ContactStep[] =>
  Array.from({ length: count }, (_, at) => ({
    kind: at === 0 ? 'call' : 'operator',
    contact: contact(at),
    ringMs: 30_000,
  }))
const asking: ContactStep = { kind: 'whatsapp', waitMs: 60_000 }
const together: ContactStep = { kind: 'together', contacts: [contact(1), contact(2)], ringMs: 30_000 }
const open: OpenAttempt = { attemptId: `${callId}-1`, kind: 'call', residentId: '1' }

const visitor: Fixture<typeof visitorMachine> = {
  inputs: {
    'a visitor who has said nothing yet': {
      callId,
      transcribes: true,
      bargesIn: true,
      said: nobody,
    },
    'a visitor who corrects the unit': {
      callId,
      transcribes: true,
      bargesIn: true,
      said: { ...nobody, unit },
    },
    'a visitor who cannot speak into prompts': {
      callId,
      transcribes: true,
      bargesIn: false,
      said: nobody,
    },
  },
  events: { 'key.pressed': press('1*#'), 'speech.started': speech, 'call.restored': restored },
  outcomes: {
    say,
    unit: {
      'the unit is known': done({ ...saidUnit, gaveUp: null, transcribes: true }),
      'unit and name are known': done({ ...saidName, gaveUp: null, transcribes: true }),
      'unit and purpose are known': done({
        ...saidUnit,
        purpose: recorded('purpose', true),
        purposeSaid: true,
        gaveUp: null,
        transcribes: true,
      }),
      'unit, name and purpose are known': done({
        ...saidName,
        purposeSaid: true,
        gaveUp: null,
        transcribes: true,
      }),
      'the unit is known, and a key was pressed meanwhile': done({
        ...saidUnit,
        gaveUp: null,
        transcribes: true,
        keys: '*',
      }),
      'the visitor names no unit': done({ ...unsaid, gaveUp: 'silent', transcribes: false }),
      ...broken,
    },
    question: {
      'the visitor answers': done({ recording: recorded('identity', true), corrects: false }),
      'the visitor is silent': done({ recording: null, corrects: false }),
      'the visitor wants another unit': done({ recording: null, corrects: true }),
      ...broken,
    },
  },
  tellApart: ({ gaveUp, transcribes, purposeSaid, keys, ...said }) => [
    keys,
    gaveUp,
    transcribes,
    purposeSaid,
    [said.unit, said.identity, said.purpose].map((it) => it !== null),
  ],
}

const unitFixture: Fixture<typeof unitMachine> = {
  inputs: Object.fromEntries(
    Object.entries({
      'a visitor who has pressed no key': { digits: '' },
      'a visitor who has pressed a digit': { digits: '1' },
      'a visitor who has pressed as many digits as count': { digits: '1'.repeat(VISITOR_PATIENCE.digits) },
      'a visitor who speaks into the greeting': { digits: '', speaks: true },
    }).map(([name, began]) => [name, { callId, transcribes: true, bargesIn: true, ...began }]),
  ),
  events: {
    'key.pressed': press('1*#'),
    'speech.started': speech,
    'speech.failed': { 'speech cannot be transcribed': {} },
    'call.restored': restored,
  },
  outcomes: {
    say,
    deadline,
    findUnit: {
      'the unit is found': done(unit),
      'several units have the number': done('several'),
      'no unit has the number': done(null),
      'the look-up fails': failed(new Error('no directory')),
    },
    listening: {
      'nobody has spoken': done({ understood: null }),
      'the words are not understood': done({ understood: unsaid }),
      'a number of several units is understood': done({ understood: shared }),
      'the unit is understood': done({ understood: saidUnit }),
      'unit and name are understood': done({ understood: saidName }),
      ...broken,
    },
  },
  sends: { listening: ['speech.failed'] },
  tellApart: ({ asked, missed, restarts, keys, gaveUp, transcribes, asking, digits, ...said }) => [
    digits.length >= VISITOR_PATIENCE.digits,
    alone([restarts, missed, /^1+#/.test(keys) ? '1#' : keys.slice(0, 1).replace('#', '*')]),
    asking?.blocks.length,
    Math.min(asked, VISITOR_PATIENCE.asks),
    missed,
    gaveUp,
    transcribes,
    [said.unit, said.identity].map((it) => it !== null),
  ],
}

/** The machine of `listeningMachine<SpokenAnswer>('listen')`: the same one waits for the visitor's words and the resident's. */
const listening: Fixture<ReturnType<typeof listeningMachine<SpokenAnswer>>> = {
  inputs: {
    ...Object.fromEntries(
      [true, false].map((speaks) => [
        speaks ? 'somebody who speaks already' : 'somebody who says nothing yet',
        { callId, transcribes: true, speaks, silenceMs: 7000, speechMs: 15_000 },
      ]),
    ),
    'only keys count': { callId, transcribes: false, speaks: false, silenceMs: 7000, speechMs: 15_000 },
  },
  events: { 'speech.started': speech },
  outcomes: {
    listen: {
      'words are understood': done('yes'),
      'speech cannot be transcribed': failed(new Error('no speech')),
    },
    deadline,
  },
  tellApart: ({ transcribes, understood }) => [transcribes, understood],
}

const question: Fixture<typeof questionMachine> = {
  inputs: {
    ...Object.fromEntries(
      (
        [
          ['the question for the name', '', true, true],
          ['a question that was skipped by a key before it, and leads nowhere back', '1', false, true],
          ['a question that a star came before', '*', true, true],
          ['a question that nobody can speak into', '', true, false],
        ] as const
      ).map(([title, keys, mayCorrect, bargesIn]) => [
        title,
        {
          callId,
          name: 'identity' as const,
          asks: [['ask-name'], ['ask-name-again']],
          keys,
          mayCorrect,
          bargesIn,
        },
      ]),
    ),
  },
  events: { 'key.pressed': press('1*'), 'speech.started': speech, 'call.restored': restored },
  outcomes: {
    say,
    record: {
      'the visitor answers': done(recorded('identity', true)),
      'the visitor is silent': done(recorded('identity', false)),
      'nothing can be recorded': failed(new Error('no disk')),
    },
  },
  tellApart: ({ asked, recording, corrects }) => [asked, recording?.heard, corrects],
}

const attemptIds = ['1', '2', 'r1-1', 'r1-2', '1-1', '1-2'].map((id) => `${callId}-${id}`)
const ringEnds: Record<RingEnd, string> = {
  unanswered: 'nobody answers',
  busy: 'the telephone is busy',
  declined: 'the call is declined',
  unallocated: 'the number does not exist',
  congested: 'no line is free',
  failed: 'the call cannot be placed',
  hopeless: 'the dialer has failed for good',
}
const lineEnds: Record<LineEnd, string> = {
  undecided: 'the resident has not decided',
  left: 'the resident hangs up',
  lost: 'the line is lost with its process',
  machine: 'a mailbox has answered',
  silent: 'nobody speaks on the line',
}

const contactFixture: Fixture<typeof contactMachine> = {
  inputs: Object.fromEntries(
    Object.entries<ContactStep[]>({
      'a plan of two calls': ringing(2),
      'a plan of one call': ringing(1),
      'an empty plan': [],
      'a plan of one question in writing': [asking],
      'a plan of a question in writing and a call': [asking, ...ringing(1)],
      'a plan of a call and a question in writing': [...ringing(1), asking],
      'a plan of two calls at once and a third': [together, ...ringing(1)],
    }).map(([name, attempts]) => [name, { callId, unit, attempts, pauseMs: 3000 }]),
  ),
  events: {
    'attempt.ringing': Object.fromEntries(
      attemptIds.map((attemptId) => [`attempt ${short(attemptId)} rings`, { attemptId }]),
    ),
    'attempt.ended': Object.fromEntries(
      attemptIds.flatMap((attemptId, at) =>
        (Object.keys(ringEnds) as RingEnd[])
          // one attempt stands for all in what the ends have in common
          .filter((end) => at === 0 || end === 'busy' || end === 'unanswered' || end === 'hopeless')
          .map((end) => [`${ringEnds[end]} in attempt ${short(attemptId)}`, { attemptId, end }]),
      ),
    ),
    'line.answered': { 'a resident is on the line': { attemptId: null } },
    'line.ended': each(lineEnds, (how: LineEnd) => ({ how })),
  },
  outcomes: {
    say,
    deadline,
    attempt: broken,
    tone: lasting,
    asking: {
      'nobody answers in writing': done({ asked: true }),
      'nobody can be asked in writing': done({ asked: false }),
    },
    await: lasting,
  },
  sends: { attempt: ['attempt.ringing', 'attempt.ended'] },
  tellApart: ({ begun, rings, answers, repeats, ringing, hopeless, isRefused }) => [
    begun,
    rings > 0,
    answers > 0,
    Math.min(repeats, 1),
    ringing.map(({ attemptId }) => attemptId),
    hopeless,
    isRefused,
  ],
}

const attempt: Fixture<typeof attemptMachine> = {
  inputs: {
    'an attempt': { callId, attemptId: `${callId}-1`, contact: contact(1), unit, ringMs: 30_000 },
  },
  events: {
    'ring.ended': each(
      {
        unanswered: 'nobody answers',
        busy: 'the telephone is busy',
        declined: 'the call is declined',
        unallocated: 'the number does not exist',
        congested: 'no line is free',
        failed: 'the call cannot be placed',
      },
      (end: RingResult['end']) => ({ end }),
    ),
  },
  outcomes: {
    deadline,
    dial: {
      'the call is requested': done(),
      'the request fails': failed(new Error('refused')),
      'the dialer has failed for good': failed(
        Object.assign(new Error('the dialer has failed'), { code: 'DIALER_FAILED' }),
      ),
    },
    ring: lasting,
  },
  sends: { ring: ['ring.ended'] },
  tellApart: ({ end }) => end,
}

const reassuring: Fixture<typeof reassuringMachine> = {
  inputs: { 'a waiting visitor': { callId, prompt: 'still-calling' } },
  events: {
    saying: { 'something else is being said to the visitor': {} },
    said: { 'all was said to the visitor': {} },
    rests: { 'the visitor talks with the resident': {} },
    waits: { 'the visitor waits for the resident to decide': { prompt: 'still-asking' } },
  },
  outcomes: { say, deadline },
  tellApart: ({ prompt }) => prompt,
}

const askingFixture: Fixture<typeof askingMachine> = {
  inputs: { 'a question in writing': { callId, unit, waitMs: 60_000 } },
  events: {},
  outcomes: {
    say,
    deadline,
    ask: { 'the residents were asked': done(), 'nobody reads messages': failed(new Error('nobody reads')) },
  },
  tellApart: ({ asked }) => asked,
}

const proving: Fixture<typeof provingMachine> = {
  inputs: Object.fromEntries(
    (['natural', 'key', 'off'] as const).flatMap((check) =>
      [true, false].map((leavesMessage) => [
        `the check "${check}" ${leavesMessage ? 'with' : 'without'} a message for mailboxes`,
        { callId, unit, check, transcribes: true, leavesMessage },
      ]),
    ),
  ),
  events: {
    'key.pressed': press('1'),
    'speech.started': speech,
    'speech.ended': {
      'a short word ends': { ms: 500 },
      'an utterance ends that is too long for one and short enough for two': {
        ms: PROVING.totalMs - PROVING.speechMs + 500,
      },
      'a long utterance ends': { ms: PROVING.speechMs },
    },
    'beep.heard': { 'a beep is heard': {} },
    'line.screened': each(
      { person: 'the PBX detects a person', machine: 'the PBX detects a machine' },
      (answeredBy: Screened) => ({ answeredBy }),
    ),
  },
  outcomes: {
    say,
    deadline,
    screen: lasting,
    listenToGreeting: {
      ...each(
        {
          person: 'the words are those of a person',
          machine: 'the words are those of a mailbox',
          unknown: 'the words tell nothing',
        },
        (who: Greeting) => done(who),
      ),
      'the greeting cannot be transcribed': failed(new Error('no speech')),
    },
  },
  sends: { screen: ['line.screened'] },
  tellApart: ({ asked, spokenMs, answeredBy, greeted }) => [
    asked,
    Math.min(spokenMs, PROVING.totalMs),
    answeredBy,
    greeted,
  ],
}

const heardAnswers = {
  ...each(
    {
      yes: 'they say yes',
      'likely-yes': 'they say something like yes',
      'yes-needs-key': 'they say yes where only a key decides',
      no: 'they say no',
      talk: 'they want to talk',
      who: 'they ask who it is',
      machine: 'the words are those of a mailbox',
      unclear: 'the words are unclear',
    },
    (understood: SpokenAnswer) => done({ understood }),
  ),
  'nobody has spoken': done({ understood: null }),
}

const resident: Fixture<typeof residentMachine> = {
  inputs: {
    'a visitor without a name': { callId, ...nobody, transcribes: true, bargesIn: true },
    'a visitor with name and purpose, to somebody who was greeted': {
      callId,
      unit,
      identity: recorded('identity', true),
      purpose: recorded('purpose', true),
      greeted: true,
      transcribes: true,
      bargesIn: false,
    },
    'a resident whose words are not transcribed': { callId, ...nobody },
  },
  events: {
    'key.pressed': press('12349'),
    'speech.started': speech,
    'speech.failed': { 'speech cannot be transcribed': {} },
  },
  outcomes: { say, listening: { ...heardAnswers, ...broken } },
  sends: { listening: ['speech.failed'] },
  tellApart: ({ answer, via, asked, confirmations, repeats, keyRequests, unclear, transcribes }) => [
    // who asks for it again after unclear words may interrupt it with more of them
    unclear > 0 && repeats > 0 ? unclear : alone([repeats, keyRequests, unclear]),
    answer,
    via,
    Math.min(asked, 3),
    Math.min(confirmations, 2),
    transcribes,
  ],
}

const talk: Fixture<typeof talkMachine> = {
  inputs: { 'a talk': { callId, talkMs: 120_000 } },
  events: { 'key.pressed': press('129') },
  outcomes: { sayBoth, deadline, bridge: lasting },
  tellApart: ({ answer }) => answer,
}

const refused = { verdict: 'denied', by: 'resident', via: 'key', at: 0 } as const

const concluding: Fixture<typeof concludingMachine> = {
  inputs: {
    ...Object.fromEntries(
      (['authorized', 'denied'] as const).map((verdict) => [
        `a visitor whose visit is ${verdict}`,
        {
          callId,
          ending: { outcome: verdict, reason: null },
          decision: { verdict, by: 'resident', via: 'key' as const, at: 0 },
          hangupDelayMs: 5000,
        },
      ]),
    ),
    'a visitor about whom nobody decided': {
      callId,
      ending: { outcome: 'unanswered', reason: null },
      decision: null,
      hangupDelayMs: 5000,
    },
  },
  events: {
    'leg.forced': { 'a leg had to be closed': {} },
    'call.restored': restored,
  },
  outcomes: {
    say,
    sayBoth,
    deadline,
    commitDecision: {
      'the decision is durable': done(null),
      'a refusal was kept before': done(refused),
      'an approval was kept before': done({ ...refused, verdict: 'authorized' }),
      ...broken,
    },
    openGate: {
      'the gate opens': done('opened' as const),
      'the gate does not answer': done('failed' as const),
      ...broken,
    },
  },
  tellApart: ({ gate, decision }) => [gate, decision?.verdict],
}

const hungUp: Record<HungUp, string> = {
  fin: 'the other side closes',
  rst: 'the connection is reset',
  hangup: 'the other side hangs up',
  error: 'the other side reports an error',
  us: 'we have closed',
  lost: 'the connection is lost with its process',
}

const leg: Fixture<typeof legMachine> = {
  inputs: { "the visitor's leg": { callId, role: 'visitor', graceMs: 1000 } },
  events: {
    'key.pressed': press('123*#'),
    'speech.started': speech,
    'speech.ended': { 'an utterance ends': { ms: 500 } },
    'beep.heard': { 'a beep is heard': {} },
    saying: { 'something is being said to it': {} },
    said: { 'all was said to it': {} },
    hungUp: each(hungUp, (how: HungUp) => ({ how })),
    'leg.hangUp': { 'the leg shall be hung up': {} },
    'call.restored': restored,
  },
  outcomes: {
    hear: lasting,
    hangUp: { '0x00 was sent': done() },
    release: { 'the socket is closed': done() },
    deadline,
  },
  sends: {
    hear: ['key.pressed', 'speech.started', 'speech.ended', 'beep.heard', 'saying', 'said', 'hungUp'],
  },
  tellApart: ({ asked }) => asked,
}

const service: Fixture<typeof serviceMachine> = {
  inputs: { 'a service': { drainMs: 1000 } },
  events: {
    'service.drain': { 'it shall drain': {} },
    'service.stop': { 'it shall stop': {} },
  },
  outcomes: {
    deadline,
    start: { 'it has started': done(), 'it cannot start': failed(new Error('no port')) },
    drain: { 'the last call has ended': done(), 'draining fails': failed(new Error('broken')) },
    close: { 'all is closed': done(), 'closing fails': failed(new Error('broken')) },
  },
  tellApart: () => null,
}

const delivery: Fixture<typeof deliveryMachine> = {
  inputs: Object.fromEntries(
    [0, 2].map((maxRetries) => [`a message with ${maxRetries} retries`, { maxRetries }]),
  ),
  events: {
    'message.taken': { 'a worker takes it': {} },
    'message.accepted': { 'it is accepted': {} },
    'message.refused': {
      'it is refused for now': { final: false },
      'it is refused for good': { final: true },
    },
    'message.released': { 'its worker ends': {} },
    'message.expired': { 'its time is over': {} },
    'message.cancelled': { 'it is cancelled': {} },
    'message.redriven': { 'it is sent again': {} },
    'message.bounced': { 'it was not delivered': {} },
  },
  outcomes: {},
  tellApart: ({ tries }) => tries,
}

const fault = (code: string, final = false): BrokerFailure => ({ code, details: {}, final })

const broker: Fixture<typeof brokerMachine> = {
  inputs: Object.fromEntries(
    (['crash', 'recover'] as const).map((onFailure) => [
      onFailure === 'crash' ? 'a service that ends without a broker' : 'a service that waits for its broker',
      {
        settings: {
          attempts: 2,
          retryMs: 1000,
          blockedMs: 5000,
          recoveryAttempts: 2,
          recoveryMaxMs: 4000,
          onFailure,
        },
      },
    ]),
  ),
  events: {
    'broker.blocked': { 'the broker blocks publishers': { reason: 'memory' } },
    'broker.unblocked': { 'the broker lets publishers go on': {} },
    'broker.lost': { 'the connection is lost': { failure: fault('BROKER_LOST') } },
    'broker.faulted': {
      'no confirm comes': { failure: fault('BROKER_TIMEOUT') },
      'a channel fails': { failure: fault('BROKER_CHANNEL') },
    },
    'broker.close': { 'it shall close': {} },
  },
  outcomes: {
    deadline,
    connect: {
      'it is connected': done(),
      'the broker refuses': failed(fault('BROKER_REFUSED')),
      'the broker has no address': failed(fault('BROKER_DNS')),
      'the password is wrong': failed(fault('BROKER_LOGIN', true)),
    },
    hold: lasting,
    release: { 'all is closed': done(), 'closing fails': failed(new Error('broken')) },
  },
  sends: { hold: ['broker.blocked', 'broker.unblocked', 'broker.lost'] },
  // as many losses as make it give up
  tellApart: ({ tries, failure, lately }) => [tries, failure?.code, Math.min(lately.length, 10)],
}

const keysOf = (role: Role) =>
  Object.fromEntries(
    [RESIDENT_KEYS.authorize, RESIDENT_KEYS.deny, '*'].map((key) => [`the ${role} presses ${key}`, { key }]),
  )
const hungUpBy = (role: Role) => ({
  [`the ${role} hangs up`]: { how: 'fin' as const },
  [`the ${role}'s leg is lost with its process`]: { how: 'lost' as const },
  [`we have hung up the ${role}`]: { how: 'us' as const },
})

const answers = (via: 'key' | 'voice', kinds: Record<string, string>) =>
  Object.entries(kinds).map(([answer, clause]) => [clause, done({ answer: answer as Verdict, via })] as const)

const call: Fixture<typeof callMachine> = {
  inputs: {
    ...Object.fromEntries(
      (
        [
          ['end', true, 'a call that ends after a talk'],
          ['next', false, 'a call that goes on after a talk, and whose ringing cannot be stopped'],
        ] as const
      ).map(([afterTalk, ringsEarly, name]) => [
        name,
        { callId, startedAt: 0, welcome: null, settings: { ...SCENE_SETTINGS, afterTalk, ringsEarly } },
      ]),
    ),
    'a visitor whose call was lost': {
      ...{ callId, startedAt: 0, welcome: null, settings: SCENE_SETTINGS },
      attempts: ringing(1),
    },
  },
  events: {
    'visitor.key.pressed': keysOf('visitor'),
    'resident.key.pressed': keysOf('resident'),
    'visitor.speech.started': { 'the visitor begins to speak': {} },
    'resident.speech.started': { 'the resident begins to speak': {} },
    'visitor.speech.ended': { 'the visitor falls silent': { ms: 500 } },
    'resident.speech.ended': { 'the resident falls silent': { ms: 500 } },
    'visitor.beep.heard': { "a beep is heard on the visitor's leg": {} },
    'resident.beep.heard': { "a beep is heard on the resident's leg": {} },
    'visitor.saying': { 'something is being said to the visitor': {} },
    'resident.saying': { 'something is being said to the resident': {} },
    'visitor.said': { 'all was said to the visitor': {} },
    'resident.said': { 'all was said to the resident': {} },
    'visitor.hungUp': hungUpBy('visitor'),
    'resident.hungUp': hungUpBy('resident'),
    'visitor.forced': { "the visitor's leg had to be closed": {} },
    'resident.forced': { "the resident's leg had to be closed": {} },
    'visitor.chose': { 'the visitor names the unit': { unit } },
    'contact.began': {
      'a telephone is called': { kind: 'call', attempts: [open] },
      'a question is written': {
        kind: 'whatsapp',
        attempts: [{ ...open, kind: 'whatsapp', residentId: null }],
      },
    },
    'contact.answered': { 'an attempt is answered': { attempt: open } },
    'contact.ended': { 'an attempt ends': { attempt: { ...open, end: 'busy' } } },
    'resident.joined': { 'a resident is on the line': {} },
    'call.restored': restored,
    'decision.given': {
      'the porter lets the visitor in': { verdict: 'authorized', by: 'porter', via: 'api' },
      'the porter sends the visitor away': { verdict: 'denied', by: 'porter', via: 'api' },
    },
    'leg.hangUp': {
      'the visitor shall be hung up': { role: 'visitor' },
      'the resident shall be hung up': { role: 'resident' },
    },
    'legs.hangUp': { 'both legs shall be hung up': {} },
    'gate.answered': { 'the gate has answered': { answer: 'opened' } },
    'decision.stood': { 'a refusal was kept before': { decision: refused } },
    'call.end': {
      'the service closes': { reason: 'closing' },
      'the call is at fault': { reason: 'fault' },
    },
  },
  outcomes: {
    leg: lasting,
    visitor: {
      'the visitor has named a unit': done({
        unit,
        identity: recorded('identity', true),
        purpose: recorded('purpose', true),
        gaveUp: null,
      }),
      'the visitor is silent': done({ ...nobody, gaveUp: 'silent' }),
      'the visitor names no known unit': done({ ...nobody, gaveUp: 'unknown-unit' }),
      ...broken,
    },
    match: {
      ...each(
        {
          contact: 'nobody may be called',
          blocked: 'the visitor is blocked',
          authorized: 'the rules let the visitor in',
        },
        (verdict: Matched['verdict']) =>
          done<Matched>(verdict === 'contact' ? { verdict, attempts: [] } : { verdict }),
      ),
      'there is somebody to call': done({ verdict: 'contact', attempts: ringing(1) }),
      'there is somebody to ask in writing by rules of its own': done({
        verdict: 'contact',
        attempts: [asking],
        answering: { answerCheck: 'key', leavesMessage: true, afterTalk: 'next' },
      }),
      'the rules fail': failed(new Error('no directory')),
    },
    contact: {
      ...each(
        {
          undecided: 'the search ends undecided',
          unanswered: 'the search ends unanswered',
          unreachable: 'nobody can be reached',
        },
        (missed: Missed) => done({ missed }),
      ),
      ...broken,
    },
    proving: {
      ...each(
        {
          person: 'a person is on the line',
          machine: 'a mailbox is on the line',
          nobody: 'nobody is on the line',
        },
        (answeredBy: ProvingOutput['answeredBy']) => done({ answeredBy, greeted: true }),
      ),
      ...broken,
    },
    resident: {
      ...each(
        {
          authorized: 'the resident lets the visitor in',
          denied: 'the resident sends the visitor away',
          talk: 'the resident wants to talk',
          machine: 'the resident is a mailbox',
          undecided: 'the resident does not decide',
        },
        (answer: Answer) => done({ answer, via: 'key' as const }),
      ),
      ...broken,
    },
    talk: {
      ...Object.fromEntries(
        answers('key', {
          authorized: 'the resident lets the visitor in after a talk',
          denied: 'the resident sends the visitor away after a talk',
          undecided: 'the talk ends undecided',
        }),
      ),
      ...broken,
    },
    concluding: broken,
    reassuring: broken,
    say,
    deadline,
    tone: lasting,
  },
  sends: {
    leg: (['visitor', 'resident'] as const).flatMap(
      (role) =>
        [
          `${role}.key.pressed`,
          `${role}.speech.started`,
          `${role}.speech.ended`,
          `${role}.beep.heard`,
          `${role}.saying`,
          `${role}.said`,
          `${role}.hungUp`,
          `${role}.forced`,
        ] as const,
    ),
    visitor: ['visitor.chose'],
    contact: ['contact.began', 'contact.answered', 'contact.ended'],
    concluding: ['legs.hangUp', 'gate.answered', 'decision.stood'],
  },
  tellApart: ({ legs, ending, decision, isOverdue, unit, line, lineEnd, greeted, settings }) => [
    unit !== null,
    lineEnd !== null || greeted,
    isOverdue,
    line !== null,
    (['visitor', 'resident'] as const).filter((role) => legs.includes(role)),
    ending,
    decision && [decision.verdict, decision.via],
    settings.afterTalk,
  ],
}

/**
 * What may happen to each machine of `porteiro/machines`: every event, every outcome of its ports and children, and what tells its
 * situations apart. To change one, spread it:
 *
 *     model(unitMachine, { ...fixtures.unit, inputs: { 'my visitor': { ... } } })
 */
export const fixtures = {
  call,
  visitor,
  unit: unitFixture,
  listening,
  question,
  contact: contactFixture,
  attempt,
  asking: askingFixture,
  reassuring,
  proving,
  resident,
  talk,
  concluding,
  leg,
  delivery,
  broker,
  service,
}

/** The package's fixture for the machine with this id. */
export function fixtureOf(id: string): AnyFixture | undefined {
  return Object.hasOwn(fixtures, id) ? (fixtures[id as keyof typeof fixtures] as AnyFixture) : undefined
}

function short(attemptId: string): string {
  return attemptId.slice(callId.length + 1)
}
