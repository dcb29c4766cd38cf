import { setTimeout as sleep } from 'node:timers/promises'
import type { AnyStateMachine } from 'xstate'
import { type callMachine, RESIDENT_KEYS, stateName, type Unit } from '../../machines/index.ts'
import type { Role } from '../platform/audio.ts'
import { createPhone, type Phone } from '../simulator/index.ts'
import { done, type Fixture } from './fixture.ts'
import { type Driver, type ModelPath, PathError } from './model.ts'
import { SCENE_SETTINGS } from './stage.ts'
import type { Stimulus } from './world.ts'

export interface PhoneDriverOptions {
  host?: string
  /** The port for visitors; that for residents is `residentPort`, by default the next one. */
  port: number
  residentPort?: number
  /** Address of the API, such as `http://127.0.0.1:8082`, and a key that may operate. */
  api: string
  key: string
  /** Units of the directory, by number. */
  units: PhoneUnits
  /** ms within which a state must be in the journal. Default: 60,000. */
  patienceMs?: number
}

export interface PhoneUnits {
  /** A resident is called once, and for long enough to answer. */
  once: string
  /** The same, twice. */
  twice: string
  /** A resident is called once, for a few seconds. */
  brief: string
  /** Nobody can be called. */
  nobody: string
  /** No unit of the directory. */
  unknown: string
}

const unit: Unit = { id: '1', number: '101', label: '101' }
const said = { unit, identity: null, purpose: null }
const contact = { residentId: '1', name: 'Ana', number: '1101' }

/** What telephones and the API can make happen, and what then happens by itself. */
const CLAUSES = {
  names: 'the visitor keys a unit',
  namesNone: 'the visitor keys an unknown unit until nobody asks again',
  rings: 'a resident is called',
  rightsNobody: 'nobody can be called',
  corrects: 'the visitor presses *',
  leaves: 'the visitor hangs up',
  joins: 'a resident answers',
  person: 'nothing doubts that it is a person',
  residentLeaves: 'the resident hangs up',
  yes: 'the resident lets the visitor in',
  no: 'the resident sends the visitor away',
  talks: 'the resident wants to talk',
  unclear: 'the resident presses keys that mean nothing',
  yesInTalk: 'the resident lets the visitor in after a talk',
  noInTalk: 'the resident sends the visitor away after a talk',
  api: 'the porter lets the visitor in',
  apiDenies: 'the porter sends the visitor away',
  missed: 'the telephone stops ringing',
  unreachable: 'the search has nobody',
  undecided: 'the search ends without a decision',
  goodbye: 'the resident has heard the goodbye',
  visitorReleased: 'the visitor is hung up',
  residentReleased: 'the resident is hung up',
} as const
const { names, namesNone, rings, rightsNobody, joins, leaves, missed, undecided } = CLAUSES
/** The invocation sayGoodbye, as the fixture names it. */
const SAID_GOODBYE = 'say goodbye was said'

const key = (clause: string, answer: 'authorized' | 'denied' | 'talk' | 'undecided') =>
  ({ [clause]: done({ answer, via: 'key' as const }) }) as Record<string, { output: never }>

/** The fixture of a call that is played by telephone: `model(callMachine, byPhone)`. */
export const byPhone: Fixture<typeof callMachine> = {
  inputs: {
    'a visitor at the gate': {
      callId: '00000000-0000-4000-8000-000000000001',
      startedAt: 0,
      welcome: null,
      // as a service with CLICKTOCALL=manual, which cannot stop what rings
      settings: { ...SCENE_SETTINGS, ringsEarly: false },
    },
  },
  events: {
    'visitor.key.pressed': { [CLAUSES.corrects]: { key: '*' } },
    'resident.key.pressed': {},
    'visitor.speech.started': {},
    'resident.speech.started': {},
    'visitor.speech.ended': {},
    'resident.speech.ended': {},
    'visitor.beep.heard': {},
    'resident.beep.heard': {},
    'visitor.saying': {},
    'resident.saying': {},
    'visitor.said': {},
    'resident.said': {},
    'visitor.hungUp': { [leaves]: { how: 'fin' }, [CLAUSES.visitorReleased]: { how: 'us' } },
    'resident.hungUp': {
      [CLAUSES.residentLeaves]: { how: 'fin' },
      [CLAUSES.residentReleased]: { how: 'us' },
    },
    'visitor.forced': {},
    'resident.forced': {},
    'visitor.chose': {},
    'contact.began': {},
    'contact.answered': {},
    'contact.ended': {},
    'resident.joined': { [joins]: {} },
    'call.restored': {},
    'decision.given': {
      [CLAUSES.api]: { verdict: 'authorized', by: 'porter', via: 'api' },
      [CLAUSES.apiDenies]: { verdict: 'denied', by: 'porter', via: 'api' },
    },
    'leg.hangUp': {},
    'legs.hangUp': {},
    'gate.answered': {},
    'decision.stood': {},
    'call.end': {},
  },
  outcomes: {
    leg: {},
    visitor: {
      [names]: done({ ...said, gaveUp: null }),
      [namesNone]: done({ ...said, unit: null, gaveUp: 'unknown-unit' as const }),
    },
    match: {
      [rings]: done({
        verdict: 'contact' as const,
        attempts: [{ kind: 'call' as const, contact, ringMs: 30_000 }],
      }),
      [rightsNobody]: done({ verdict: 'contact' as const, attempts: [] }),
    },
    contact: {
      [missed]: done({ missed: 'unanswered' as const }),
      [CLAUSES.unreachable]: done({ missed: 'unreachable' as const }),
      [undecided]: done({ missed: 'undecided' as const }),
    },
    proving: { [CLAUSES.person]: done({ answeredBy: 'person' as const, greeted: false }) },
    resident: {
      ...key(CLAUSES.yes, 'authorized'),
      ...key(CLAUSES.no, 'denied'),
      ...key(CLAUSES.talks, 'talk'),
      ...key(CLAUSES.unclear, 'undecided'),
    },
    talk: { ...key(CLAUSES.yesInTalk, 'authorized'), ...key(CLAUSES.noInTalk, 'denied') },
    concluding: {},
    reassuring: {},
    say: { '{id} was said': done({ ms: 1000, interrupted: false }) },
    deadline: {},
    tone: {},
  },
  tellApart: ({ legs, ending, decision, line, unit: named, attempts, ended, searches, lineEnd }) => [
    named !== null,
    legs.length,
    ending,
    decision?.verdict,
    line !== null,
    attempts.length,
    ended.length,
    Math.min(searches, 1),
    lineEnd,
  ],
}

/**
 * Whether telephones can play a path: what a path of the model leaves open, such as whether anybody may still be called, must not
 * contradict itself.
 */
export function isPlayable({ steps }: Pick<ModelPath<typeof callMachine>, 'steps'>): boolean {
  const clauses = steps.map(({ clause }) => clause)
  const at = (clause: string) => clauses.indexOf(clause)
  const has = (clause: string) => at(clause) >= 0
  const once = [
    names,
    joins,
    leaves,
    CLAUSES.residentLeaves,
    CLAUSES.residentReleased,
    CLAUSES.visitorReleased,
  ]
  if (once.some((clause) => at(clause) !== clauses.lastIndexOf(clause))) return false
  // the telephones of a service with CLICKTOCALL=manual ring on, so a star is heard only before
  if (has(CLAUSES.corrects)) return false
  const isGone = [CLAUSES.residentLeaves, CLAUSES.residentReleased].filter(has)
  if (isGone.length > 1 || (has(leaves) && has(CLAUSES.visitorReleased))) return false
  if (isGone.some((clause) => at(clause) < at(joins) || !has(joins))) return false
  // after its goodbye a line is hung up at once, before anybody can do anything else
  const parted = has(SAID_GOODBYE) ? clauses[at(SAID_GOODBYE) + 1] : undefined
  if (parted !== undefined && parted !== CLAUSES.residentReleased) return false
  // without a telephone to call, the search is over at once
  if (has(rightsNobody)) {
    const next = clauses.slice(at(rightsNobody) + 1).find((clause) => !clause.endsWith('was said'))
    return (next === undefined || next === CLAUSES.unreachable) && !has(joins)
  }
  if (has(CLAUSES.unreachable) || (has(missed) && has(joins))) return false
  return !has(undecided) || has(joins)
}

interface View {
  call: { state?: string; outcome: string | null } | null
  journal: { kind: string; data: Record<string, unknown> }[]
}

/**
 * Plays paths of `model(callMachine, byPhone)` on a running service: telephones speak AudioSocket, the porter uses the API, and the
 * journal tells which states the call was in. What the call does by itself is not waited for step by step: each state of the path must come, in
 * order, and the outcome must be that of the path.
 *
 *     const paths = model(callMachine, byPhone).paths({ each: 'pair' }).filter(isPlayable)
 *     await path.play(phone({ port: 8080, api: 'http://127.0.0.1:8082', key, units }))
 */
export function phone(options: PhoneDriverOptions): Driver {
  const { host = '127.0.0.1', port, residentPort = port + 1, api, key: apiKey, units } = options
  const { patienceMs = 60_000 } = options
  const ask = async <Answer>(path: string, body?: object): Promise<Answer | undefined> => {
    const response = await fetch(`${api}${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${apiKey}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    // a call is in the journal a little later than on the line, and its first decision stands
    if (response.status === 404 || response.status === 409) return undefined
    if (!response.ok)
      throw new Error(`${path} was answered with ${response.status}: ${await response.text()}`)
    return (await response.json()) as Answer
  }

  return {
    async begin(path: ModelPath<AnyStateMachine>) {
      const clauses = path.steps.map(({ clause }) => clause)
      const has = (clause: string) => clauses.includes(clause)
      const number = has(rightsNobody)
        ? units.nobody
        : has(missed)
          ? units.brief
          : has(undecided) || !has(joins)
            ? units.once
            : units.twice
      const visitor = createPhone({ host, port })
      let resident: Phone | undefined
      let expected: unknown = path.beginning.value
      /** How many of the call's states the path has come past. */
      let passed = 0
      const taken: string[] = []

      const view = async (): Promise<View> =>
        (await ask<View>(`/api/calls/${visitor.id}`)) ?? { call: null, journal: [] }
      const statesOf = ({ journal }: View, actor: string) =>
        journal.flatMap(({ kind, data }) =>
          kind === 'state' && data['actor'] === actor ? [String(data['state'])] : [],
        )
      /** Acts again and again until the call has left this state. */
      const until = async (
        isOver: (states: string[], seen: View) => boolean,
        act: (seen: View) => unknown,
      ) => {
        const end = performance.now() + patienceMs
        for (;;) {
          const seen = await view()
          if (isOver(statesOf(seen, 'call'), seen) || performance.now() > end) return
          await act(seen)
          await sleep(PAUSE_MS)
        }
      }
      const isIn = (prefix: string) => (states: string[]) => states.at(-1)?.startsWith(prefix) ?? false
      const isPast = (prefix: string) => (states: string[]) => states.length > 0 && !isIn(prefix)(states)

      const actions: Record<string, () => unknown> = {
        [names]: async () => {
          await visitor.press(`${number}#`)
          let answered = 0
          await until(isPast('attending'), async (seen) => {
            // name and purpose are left out
            const asked = statesOf(seen, 'question').filter((state) => /asking|recording/.test(state)).length
            if (asked > answered) await visitor.press('#')
            answered = asked
          })
        },
        [namesNone]: () => until(isPast('attending'), () => visitor.press(`${units.unknown}#`)),
        [leaves]: () => visitor.hangUp(),
        [joins]: async () => {
          await until(
            (_, { journal }) => journal.some(({ kind }) => kind === 'resident.wanted'),
            () => {},
          )
          resident = createPhone({ host, port: residentPort, id: visitor.id, role: 'resident' })
          await resident.connected
        },
        [CLAUSES.residentLeaves]: () => resident?.hangUp(),
        [CLAUSES.residentReleased]: () => released('resident'),
        [CLAUSES.visitorReleased]: () => released('visitor'),
        [CLAUSES.yes]: () => keyed(RESIDENT_KEYS.authorize, 'consulting'),
        [CLAUSES.no]: () => keyed(RESIDENT_KEYS.deny, 'consulting'),
        [CLAUSES.talks]: () => keyed(RESIDENT_KEYS.talk, 'consulting'),
        [CLAUSES.unclear]: () => keyed('9', 'consulting'),
        [CLAUSES.yesInTalk]: () => keyed(RESIDENT_KEYS.authorize, 'talking'),
        [CLAUSES.noInTalk]: () => keyed(RESIDENT_KEYS.deny, 'talking'),
        [CLAUSES.api]: () => ask(`/api/calls/${visitor.id}/decision`, { verdict: 'authorized' }),
        [CLAUSES.apiDenies]: () => ask(`/api/calls/${visitor.id}/decision`, { verdict: 'denied' }),
      }
      const keyed = (pressed: string, state: string) =>
        until(
          (states) => states.some((one) => one.includes(state)) && !states.at(-1)!.includes(state),
          async (seen) => {
            if (statesOf(seen, 'call').at(-1)?.includes(state)) await resident?.press(pressed)
          },
        )

      /** By somebody at the API; after the goodbyes the call does it itself. */
      const released = (role: Role) =>
        /concluding|releasing|dropping/.test(stateName(expected))
          ? undefined
          : ask('/api/hangup', { call_id: visitor.id, role })

      await visitor.connected
      return {
        async look() {
          const wanted = stateName(expected)
          const isLast = taken.length === path.steps.length
          const ending = (path.end.context as { ending: { outcome: string } | null }).ending?.outcome
          const end = performance.now() + patienceMs
          for (;;) {
            const seen = await view()
            const states = statesOf(seen, 'call')
            const found = states.indexOf(wanted, passed)
            if (found >= 0) {
              passed = found
              if (!isLast || ending === undefined) return { value: expected }
              const outcome = seen.call?.outcome
              if (outcome === ending) return { value: expected }
              if (outcome) throw new PathError(path.title, taken, 'the outcome differs', ending, outcome)
            }
            if (performance.now() > end) return { value: `${states.join(', ')}; awaited: ${wanted}` }
            await sleep(PAUSE_MS)
          }
        },
        async take(step: Stimulus & { seen?: { value: unknown } }) {
          taken.push(step.clause)
          await actions[step.clause]?.()
          expected = path.steps[taken.length - 1]!.seen.value
        },
        async stop() {
          await Promise.all([visitor.close(), resident?.close()])
        },
      }
    },
  }
}

/** ms between two looks at the journal. */
const PAUSE_MS = 200
