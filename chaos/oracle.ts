/** Judges a chaos run by what others have seen: the gate's controller, the telephones, the receiver of webhooks, and the books. */
import { commandIdOf } from '../src/gates/decisions.ts'
import type {
  ApiRecord,
  ChaosRecord,
  CommandRecord,
  Moment,
  ResidentRecord,
  VisitRecord,
  WebhookRecord,
} from './records.ts'

/** ms from the decision in which a gate may be told. */
const GATE_MS = 30_000
/** ms that an answer of the controller takes to the words: what was answered later may not be known to who speaks. */
const ANSWER_MS = 2500
/** Two legs in a row that lasted less than this tell the dialplan that the call is over, ms. */
const SHORT_LEG_MS = 2000

/** What the database says of a call. */
export interface Book {
  id: string
  outcome: string | null
  reason: string | null
  decision: { verdict: string; at: number } | null
  isEnded: boolean
}

export interface Findings {
  /** What must not be: a sentence for each rule, and the calls that break it. */
  rules: { rule: string; calls: string[]; of: number }[]
  /** What else was seen. */
  facts: Record<string, number>
}

const OPENED = 'farewell-visitor-authorized'
const SILENT = 'farewell-visitor-gate-silent'
const APOLOGIES = ['call-restored', 'sorry-again']

export function judge(records: readonly ChaosRecord[], books: readonly Book[]): Findings {
  const of = <T extends ChaosRecord>(kind: T['kind']) =>
    records.filter((record) => record.kind === kind) as T[]
  const commands = lastOf(of<CommandRecord>('command'))
  const visits = of<VisitRecord>('visit')
  const residents = of<ResidentRecord>('resident')
  const webhooks = of<WebhookRecord>('webhook')
  const api = of<ApiRecord>('api')
  const byCall = Map.groupBy(commands, ({ call }) => call)
  const book = new Map(books.map((row) => [row.id, row]))
  const authorized = books.filter(({ decision }) => decision?.verdict === 'authorized')
  const failed = new Set(webhooks.flatMap(({ type, call }) => (type === 'gate.failed' && call ? [call] : [])))
  const came = new Set(webhooks.map(({ type, call }) => `${type} ${call}`))

  const openedAt = (call: string) => byCall.get(call)?.find(({ opened }) => opened)?.at
  /** When the controller first said that the gate is open. */
  const answeredAt = (call: string) =>
    Math.min(
      ...(byCall.get(call) ?? []).flatMap(({ status, answeredAt }) =>
        status !== undefined && status < 300 && answeredAt !== undefined ? [answeredAt] : [],
      ),
    )

  /** Whether these words, begun at that moment, were true. */
  const isTrue = (call: string, prompt: string, at: number): boolean => {
    const row = book.get(call)
    const gateOpened = openedAt(call)
    if (prompt.endsWith('-authorized')) return gateOpened !== undefined && gateOpened <= at
    if (prompt.endsWith('-gate-silent'))
      return (
        row?.decision?.verdict === 'authorized' && !(answeredAt(call) < at - ANSWER_MS) && failed.has(call)
      )
    if (prompt.endsWith('-denied')) return row?.decision?.verdict === 'denied' && gateOpened === undefined
    // of a line that ended before somebody else decided
    if (prompt === 'farewell-resident-undecided' && row?.decision && at < row.decision.at) return true
    return row?.decision?.verdict !== 'authorized' && gateOpened === undefined
  }
  const untrue = (those: readonly (VisitRecord | ResidentRecord)[], who: string) =>
    those.flatMap(({ call, moments }) =>
      moments.some(
        ({ type, what, at }) =>
          type === 'hearing' && what.startsWith(`farewell-${who}-`) && !isTrue(call, what, at),
      )
        ? [call]
        : [],
    )

  const owed = books.flatMap(({ id, decision, isEnded }) =>
    [...['call.started'], ...(decision ? ['call.decided'] : []), ...(isEnded ? ['call.ended'] : [])].map(
      (type) => ({ id, type }),
    ),
  )
  const reconnected = visits.filter(({ moments }) => connectionsOf(moments).length > 1)
  const faults = books.filter(({ reason }) => reason === 'fault')
  const seen = new Map(visits.map(({ call, moments }) => [call, moments]))
  const hungUp = faults.filter(({ id }) => hasStayed(seen.get(id) ?? []))
  const stayed = visits.filter(
    ({ call, moments }) => book.get(call)?.decision?.verdict === 'authorized' && hasStayed(moments),
  )

  return {
    rules: [
      {
        rule: 'calls begun anew without a word',
        calls: visits.filter(isSilentlyAnew).map(callOf),
        of: reconnected.length,
      },
      {
        rule: 'gates opened without a decision',
        calls: commands.flatMap(({ id, call, opened, at }) => {
          const decision = book.get(call)?.decision
          if (!opened) return []
          const isDecided =
            decision?.verdict === 'authorized' &&
            decision.at <= at &&
            commandIdOf(call, new Date(decision.at)) === id
          return isDecided ? [] : [call]
        }),
        of: commands.filter(({ opened }) => opened).length,
      },
      {
        rule: 'gates opened twice for one call',
        calls: [...byCall].flatMap(([call, told]) =>
          told.filter(({ opened }) => opened).length > 1 ? [call] : [],
        ),
        of: byCall.size,
      },
      {
        rule: 'gates told later than 30 s after the decision',
        calls: commands.flatMap(({ call, at }) => {
          const decision = book.get(call)?.decision
          return decision && at - decision.at > GATE_MS ? [call] : []
        }),
        of: commands.length,
      },
      {
        rule: 'numbers of commands given twice',
        calls: [...Map.groupBy(commands, ({ counter }) => counter).values()].flatMap((same) =>
          same.length > 1 ? same.map(callOf) : [],
        ),
        of: commands.length,
      },
      {
        rule: 'authorised visitors who heard nothing of it',
        calls: stayed
          .filter(
            ({ moments }) =>
              !moments.some(({ type, what }) => type === 'hearing' && (what === OPENED || what === SILENT)),
          )
          .map(callOf),
        of: stayed.length,
      },
      { rule: 'visitors who heard something untrue', calls: untrue(visits, 'visitor'), of: visits.length },
      {
        rule: 'residents who heard something untrue',
        calls: untrue(residents, 'resident'),
        of: residents.length,
      },
      {
        rule: 'decisions that the API answered 200 to, and the books do not have',
        calls: api.filter(({ call }) => !book.get(call)?.decision).map(callOf),
        of: api.length,
      },
      {
        rule: 'webhooks call.* that never came',
        calls: owed.flatMap(({ id, type }) => (came.has(`${type} ${id}`) ? [] : [`${id} ${type}`])),
        of: owed.length,
      },
      {
        rule: 'calls without an end in the books',
        calls: books.filter(({ isEnded }) => !isEnded).map(({ id }) => id),
        of: books.length,
      },
    ],
    facts: {
      calls: books.length,
      'visits that were cut off': reconnected.length,
      'times that one was cut off': reconnected.reduce(
        (sum, { moments }) => sum + connectionsOf(moments).length - 1,
        0,
      ),
      'greeted again before they had said anything': visits.filter(
        ({ moments }) => greetedAgain(moments, true) !== undefined,
      ).length,
      'begun anew with an apology': visits.filter(isLoudlyAnew).length,
      'ended by a reset that a dialplan takes for the end': visits.filter(({ moments }) =>
        isCutShort(moments),
      ).length,
      'ended by a fault, as their visitor did not come back': faults.length - hungUp.length,
      'ended by a fault although we had hung up': hungUp.length,
      authorized: authorized.length,
      'gates opened': commands.filter(({ opened }) => opened).length,
      'heard that the gate does not answer': visits.filter(({ moments }) =>
        moments.some(({ what }) => what === SILENT),
      ).length,
      'commands to the controller': commands.length,
      'webhooks that came': webhooks.length,
      'of these a second time':
        webhooks.length - new Set(webhooks.map(({ type, call, id }) => `${type} ${call} ${id}`)).size,
    },
  }
}

const callOf = ({ call }: { call: string }) => call

/** A command is noted when it comes and, by a controller that is late, again when it is answered. */
function lastOf(commands: readonly CommandRecord[]): CommandRecord[] {
  return [
    ...new Map(
      commands.map((command) => [`${command.id} ${command.counter} ${command.at}`, command]),
    ).values(),
  ]
}

/** What was heard and done on each connection. */
function connectionsOf(moments: readonly Moment[]): Moment[][] {
  const connections: Moment[][] = []
  for (const moment of moments) {
    if (moment.type === 'connected') connections.push([])
    connections.at(-1)?.push(moment)
  }
  return connections
}

/** What a visitor hears who has not said anything yet. */
const FIRST_WORDS = ['greeting', 'ask-unit', 'one-moment', 'hold']

/** The connection in which a visitor is greeted again: after having said something, or heard more than the first words; or `before` that. */
function greetedAgain(moments: readonly Moment[], before = false): Moment[] | undefined {
  const connections = connectionsOf(moments)
  const isDone = (one: readonly Moment[]) =>
    one.some(({ type, what }) => type === 'key' || (type === 'hearing' && !FIRST_WORDS.includes(what)))
  const isGreeted = (one: readonly Moment[]) =>
    one.some(({ type, what }) => type === 'hearing' && what === 'greeting')
  const done = connections.findIndex(isDone)
  if (before) return connections.slice(0, done < 0 ? undefined : done + 1).filter(isGreeted)[1]
  return done < 0 ? undefined : connections.slice(done + 1).find(isGreeted)
}

function hasApology(connection: readonly Moment[]): boolean {
  return connection.some(({ type, what }) => type === 'hearing' && APOLOGIES.includes(what))
}

function isSilentlyAnew({ moments }: VisitRecord): boolean {
  const again = greetedAgain(moments)
  return again !== undefined && !hasApology(again)
}

function isLoudlyAnew({ moments }: VisitRecord): boolean {
  const again = greetedAgain(moments)
  return again !== undefined && hasApology(again)
}

/** Until the service hung up. */
function hasStayed(moments: readonly Moment[]): boolean {
  return moments.at(-1)?.what === 'server-hangup'
}

function isCutShort(moments: readonly Moment[]): boolean {
  const last = moments.at(-1)
  const connected = moments.findLast(({ type }) => type === 'connected')
  return last?.what === 'server-close' && connected !== undefined && last.at - connected.at < SHORT_LEG_MS
}

/** A table for people. */
export function tableOf({ rules, facts }: Findings): string {
  const lines = rules.map(({ rule, calls, of }) => `| ${rule} | ${calls.length} | ${of} |`)
  const told = Object.entries(facts).map(([name, value]) => `${name}: ${value}`)
  return ['| must not be | seen | of |', '| --- | --- | --- |', ...lines, '', told.join(' · ')].join('\n')
}
