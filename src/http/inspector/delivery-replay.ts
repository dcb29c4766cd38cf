import { initialTransition, type SnapshotFrom, transition } from 'xstate'
import { type DeliveryContext, type DeliveryEvent, deliveryMachine } from '../../../machines/index.ts'
import { shown } from '../../inspect/index.ts'
import { type AttemptRow, leftOutOf, type MessageLife } from '../../outbound/index.ts'
import type { ReplayStep } from './replay.ts'

/** A replay step with the context of `deliveryMachine` after it. */
interface DeliveryStep extends ReplayStep {
  leg: null
  states: { delivery: string }
  context: DeliveryContext
  /** The time was not recorded: it happened at `at` or before. */
  atLatest: boolean
}

type Delivery = SnapshotFrom<typeof deliveryMachine>

/** Events by people, the clock and providers, which leave no row, only their consequences. */
const UNRECORDED = [
  { type: 'message.released' },
  { type: 'message.redriven' },
  { type: 'message.cancelled' },
  { type: 'message.expired' },
  { type: 'message.bounced' },
] as const satisfies DeliveryEvent[]
const TAKEN = { type: 'message.taken' } as const
const REFUSED = { type: 'message.refused', final: false } as const

/** Maximum number of steps in a response, the latest ones. */
const TOLD = 500
/** Cached transitions by situation: the machine is pure, and viewers poll the same message every second. */
const answers = new Map<string, Delivery | undefined>()
const ANSWERS = 10_000

/** The start or end of an attempt. */
interface Fact {
  at: Date
  of: AttemptRow
  ended: boolean
}

/**
 * Replays a message step by step. Rows say when an attempt began and how it ended; the machine says which state that
 * led to, and what must have happened between two rows that do not follow from each other. If earlier attempts are
 * omitted, it begins at the first included one, and `seq` counts two steps for each omitted one. `over`: nothing more
 * can happen to it.
 */
export function replayDelivery(life: MessageLife, masked: boolean): { steps: DeliveryStep[]; over: boolean } {
  const { message, tries, receipts } = life
  const leftOut = leftOutOf(tries)
  const firstSeq = leftOut > 0 ? 1 + 2 * leftOut : 0
  const steps: DeliveryStep[] = []
  let delivery = beginningOf(life)
  const redrivenAfter = triesBeforeRedrive(message, tries)

  const note = (kind: string, at: Date, data: object, atLatest = false) => {
    const states = { delivery: delivery.value }
    const { context } = delivery
    steps.push({ seq: firstSeq + steps.length, at, kind, leg: null, data, states, context, atLatest })
  }

  const happen = (event: DeliveryEvent, at: Date, data: object = {}, atLatest = false) => {
    delivery = after(delivery, event) ?? delivery
    note(event.type, at, data, atLatest)
  }

  /** Adds the steps to the first reachable goal. `exactly`: the last of them happened at `at`. */
  const reach = (goals: readonly ((delivery: Delivery) => boolean)[], at: Date, exactly: boolean) => {
    const way = goals.map((goal) => wayTo(delivery, goal)).find((found) => found !== undefined) ?? []
    for (const [index, event] of way.entries()) happen(event, at, {}, !exactly || index < way.length - 1)
  }

  const begin = ({ number, outcome, node }: AttemptRow, at: Date) => {
    const mayBegin = (one: Delivery) => after(one, TAKEN) !== undefined
    const fits = (one: Delivery) =>
      mayBegin(one) &&
      (number !== redrivenAfter + 1 || one.context.tries === 0) &&
      (outcome !== 'retrying' || after(after(one, TAKEN)!, REFUSED)?.value === 'retrying')
    reach([fits, mayBegin], at, false)
    const facts = { try: number, nodeId: node }
    if (mayBegin(delivery)) return happen(TAKEN, at, facts)
    delivery = put(delivery, 'processing')
    note(TAKEN.type, at, facts)
  }

  const end = (row: AttemptRow, at: Date) => {
    const { number, node, httpStatus, errorCode: code, error, errorDetails: details, retryAfterMs } = row
    const facts = { try: number, nodeId: node, httpStatus, code, error, details, retryAfterMs }
    const known = Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== null))
    const event = endOf(delivery, row)
    if (event && after(delivery, event)) happen(event, at, known)
  }

  const { createdAt, channel, priority } = message
  if (leftOut === 0) note('message.enqueued', createdAt, { channel, priority })
  const facts = factsOf(tries)
  const lastAccepted = facts.findLast(({ of, ended }) => ended && of.outcome === 'sent')
  let current = 0
  for (const fact of facts) {
    const { of, at, ended } = fact
    if (!ended) {
      begin(of, at)
      current = of.number
      // an attempt that another worker restarted changes nothing, unless it delivered the message
    } else if (of.number === current || of.outcome === 'sent') end(of, at)
    if (fact === lastAccepted)
      for (const { status, at, error } of receipts) note(`receipt.${status}`, at, error ?? {})
  }

  const isThere = (one: Delivery) => one.value === message.status
  const isUntried = (one: Delivery) =>
    isThere(one) && (redrivenAfter === 0 || redrivenAfter < message.attempts || one.context.tries === 0)
  reach([isUntried, isThere], message.updatedAt, true)
  if (!isThere(delivery)) {
    // no path of this machine leads there, so the row counts
    delivery = put(delivery, message.status)
    note('message.found', message.updatedAt, {})
  }
  const latest = steps.slice(-TOLD).map((step) => ({ ...step, data: shown(step.data, masked) }))
  return { steps: latest, over: delivery.status === 'done' }
}

/** The state before the first known attempt. */
function beginningOf({ message, tries, refusedBefore }: MessageLife): Delivery {
  const { maxRetries, attempts, attemptsBefore } = message
  const beginning = initialTransition(deliveryMachine, { maxRetries })[0]
  if (leftOutOf(tries) === 0) return beginning
  const counting = attempts - attemptsBefore - tries.filter(counts).length
  // below 0: it was redriven since, so that the row does not count these; one refused for now although its retries were
  // used up
  // had been redriven too
  const cycle = Math.max(1, maxRetries)
  const before = counting >= 0 ? counting : refusedBefore && ((refusedBefore - 1) % cycle) + 1
  const value = before > 0 ? 'retrying' : 'pending'
  return deliveryMachine.resolveState({ value, context: { maxRetries, tries: before } })
}

/** Attempts that sent nothing do not count. */
function counts({ outcome }: AttemptRow): boolean {
  return outcome !== 'released'
}

/** The state after an event; undefined if it is not possible. */
function after(delivery: Delivery, event: DeliveryEvent): Delivery | undefined {
  const situation = JSON.stringify([delivery.value, delivery.context, event])
  if (!answers.has(situation)) {
    if (answers.size >= ANSWERS) answers.clear()
    answers.set(situation, delivery.can(event) ? transition(deliveryMachine, delivery, event)[0] : undefined)
  }
  return answers.get(situation)
}

function put({ context }: Delivery, value: Delivery['value']): Delivery {
  return deliveryMachine.resolveState({ value, context })
}

/** The shortest path of events without rows; undefined if there is none. */
function wayTo(from: Delivery, isGoal: (delivery: Delivery) => boolean): DeliveryEvent[] | undefined {
  const ways: { at: Delivery; events: DeliveryEvent[] }[] = [{ at: from, events: [] }]
  const seen = new Set<string>()
  for (const { at, events } of ways) {
    if (isGoal(at)) return events
    for (const event of UNRECORDED) {
      const next = after(at, event)
      if (!next) continue
      const place = `${next.value} ${next.context.tries}`
      if (!seen.has(place)) ways.push({ at: next, events: [...events, event] })
      seen.add(place)
    }
  }
  return undefined
}

/** Facts ordered by the workers' clocks; two workers may have one message for a moment. */
function factsOf(tries: readonly AttemptRow[]): Fact[] {
  return tries
    .flatMap((of): Fact[] => [
      { at: of.startedAt, of, ended: false },
      ...(of.endedAt ? [{ at: of.endedAt, of, ended: true }] : []),
    ])
    .sort((one, other) => one.at.getTime() - other.at.getTime())
}

/** The message's event for the end of an attempt. */
function endOf(delivery: Delivery, { outcome }: AttemptRow): DeliveryEvent | undefined {
  switch (outcome) {
    case 'sent':
      return { type: 'message.accepted' }
    case 'retrying':
      return REFUSED
    case 'failed':
      // only the machine's result shows whether it was final or exceeded the retries
      return { type: 'message.refused', final: after(delivery, REFUSED)?.value !== 'failed' }
    case null:
      return undefined
    default:
      return { type: `message.${outcome}` }
  }
}

/**
 * Number of attempts before the last redrive; 0: never redriven, or before the known attempts. Since then
 * `attempts - attemptsBefore` have counted.
 */
function triesBeforeRedrive(
  { attempts, attemptsBefore }: MessageLife['message'],
  tries: readonly AttemptRow[],
): number {
  let since = attempts - attemptsBefore
  const last = tries.findLast((row) => counts(row) && since-- === 0)
  return last?.number ?? 0
}
