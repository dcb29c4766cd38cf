import { z } from 'zod'
import { TIMED_STEPS } from '../../calls/index.ts'
import { facts, moment, outcome, role, verdict } from './common.ts'

export const call = z
  .object({
    id: z.string(),
    tenantId: z.string(),
    nodeId: z.string(),
    /** Id of the extension; null for the main port pair. */
    gate: z.string().nullable(),
    unitId: z.string().nullable(),
    unitNumber: z.string().nullable(),
    /** Such as `reaching.searching` or `concluding.farewell`; `ended` when it is over. */
    state: z.string(),
    startedAt: moment,
    /** Null while the call lives. */
    endedAt: moment.nullable(),
    outcome: outcome.nullable(),
    reason: z.string().nullable(),
    /** `at` in ms since the epoch. */
    decision: z.object({ verdict, by: z.string(), via: z.string(), at: z.number() }).nullable(),
    /** ms since the start. */
    durations: z
      .object({ total: z.number(), toAnswer: z.number().nullable(), toDecision: z.number().nullable() })
      .nullable(),
    /** No process has the call: it continues when its visitor reconnects, or ends. */
    awaitingVisitor: z.boolean(),
  })
  .meta({ id: 'Call' })

/** The current states of a call's machines. */
export const snapshot = z
  .object({
    /** State of the call's own machine. */
    state: z.string(),
    /** The connected legs. */
    legs: z.array(role),
    /** States of its children by id: visitor, contact, resident, visitorLeg, residentLeg. */
    children: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Snapshot' })

/** A live call in a list includes its snapshot. */
export const listedCall = call.extend({ snapshot: snapshot.nullable() }).meta({ id: 'ListedCall' })

export const journalEvent = z
  .object({
    /** Counts from 0 within the call. */
    seq: z.number(),
    at: moment,
    /** started, state, key, said, recorded, understood, resident.wanted, dial, leg.connected, leg.closed, ended, … */
    kind: z.string(),
    leg: role.nullable(),
    data: facts,
  })
  .meta({ id: 'JournalEvent' })

/** An utterance or keys, in readable form. */
export const turn = z
  .object({
    seq: z.number(),
    at: moment,
    /** The line on which it happened. */
    leg: role,
    who: z.enum(['porteiro', 'visitor', 'resident']),
    kind: z.enum(['said', 'key', 'recorded', 'understood']),
    /** Porteiro's words, in its language; the pressed keys; or the understood meaning. */
    text: z.string(),
    /** The recording that was made or played, for GET /api/calls/:id/recordings/:name. */
    recording: z.string().nullable(),
    ms: z.number().nullable(),
    interrupted: z.boolean(),
  })
  .meta({ id: 'Turn' })

export const recording = z
  .object({ name: z.string(), ms: z.number(), bytes: z.number() })
  .meta({ id: 'Recording' })

/** One telephone that rang, or one question in writing. */
export const triedAttempt = z
  .object({
    id: z.string(),
    /** `call`: in order; `together`: with others at once; `whatsapp`: the unit was asked in writing. */
    kind: z.enum(['call', 'together', 'operator', 'whatsapp']),
    residentId: z.string().nullable(),
    /** Of the resident; null if they were deleted since. */
    name: z.string().nullable(),
    /** The telephone as the directory has it now; with scope `read` a long number has its last four digits only. */
    number: z.string().nullable(),
    progress: z.enum([
      'calling',
      'ringing',
      'answered',
      'proving',
      'consulting',
      'talking',
      'releasing',
      'asked',
    ]),
    /** unanswered, busy, declined, machine, undecided, decided, elsewhere, cancelled, …; null while it is not over. */
    end: z.string().nullable(),
    /** What was decided by this attempt. */
    verdict: verdict.nullable(),
    beganAt: z.iso.datetime(),
    /** When the PBX said that it rings; null if it says nothing. */
    rangAt: z.iso.datetime().nullable(),
    answeredAt: z.iso.datetime().nullable(),
    endedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'TriedAttempt' })

export const timing = z
  .object({
    step: z.enum(TIMED_STEPS),
    at: moment,
    sinceStartMs: z.number(),
    sinceLastMs: z.number().describe('From the step before'),
  })
  .meta({ id: 'Timing' })

export const callView = z
  .object({
    /** Null in the moment before the first row of a call is written. */
    call: call.nullable(),
    snapshot: snapshot.nullable(),
    journal: z.array(journalEvent),
    /** In the order in which they began. */
    attempts: z.array(triedAttempt),
    conversation: z.array(turn),
    timings: z
      .array(timing)
      .describe('When the call came to each step, in their order; absent: it did not come to it'),
    recordings: z.array(recording),
  })
  .meta({ id: 'CallView' })

export const hungUp = z.object({ call_id: z.string(), role, hungUp: z.literal(true) })
export const decided = z.object({ callId: z.string(), verdict, decided: z.literal(true) })
export const spoken = z.object({ callId: z.string(), role, accepted: z.literal(true) })

/**
 * GET /api/events, server-sent. `event: call` has an id, behind which Last-Event-ID or ?after= goes on; so has `event:
 * open`, which says that from here on nothing is missed. Without an id: `event: levels`, five times a second where
 * ?levels=true asks for it, and `event: reset` when more was missed than is sent again: read the lists anew.
 */
export const callEvent = journalEvent
  .extend({ id: z.string(), callId: z.string(), tenantId: z.string().nullable() })
  .meta({ id: 'CallEvent' })

/** dBFS of the last 100 ms of each leg that is connected; -100 is silence. */
export const levels = z
  .object({
    calls: z.array(
      z.object({ callId: z.string(), visitor: z.number().nullable(), resident: z.number().nullable() }),
    ),
  })
  .meta({ id: 'Levels' })
