import type { EventRow } from './sql/calls.ts'

/** The steps of a call, in their usual order. */
export const TIMED_STEPS = ['greeting', 'unit', 'ring', 'answer', 'decision', 'gate', 'end'] as const
type TimedStep = (typeof TIMED_STEPS)[number]

interface Timing {
  step: TimedStep
  at: Date
  /** From the beginning of the call, ms. */
  sinceStartMs: number
  /** From the step before, ms. */
  sinceLastMs: number
}

const GATE = /^gate\.(opened|sent|none|failed)$/

/** The step that an event completes, if any. */
function stepOf({ kind, leg, data }: EventRow): TimedStep | undefined {
  const { actor, state } = Object(data) as { actor?: unknown; state?: unknown }
  if (kind === 'said' && leg === 'visitor') return 'greeting'
  if (kind === 'state' && actor === 'call' && /^(matching|reaching)/.test(String(state))) return 'unit'
  if (kind === 'resident.wanted') return 'ring'
  if (kind === 'leg.connected' && leg === 'resident') return 'answer'
  if (kind === 'decided') return 'decision'
  if (GATE.test(kind)) return 'gate'
  return kind === 'ended' ? 'end' : undefined
}

/**
 * When a call came to each step: the first words to the visitor were said, the unit was known, the first telephone was asked to
 * ring, somebody answered, it was decided, the gate answered, it ended. Steps that it did not come to are absent.
 */
export function timingsOf(events: readonly EventRow[]): Timing[] {
  const first = events[0]
  if (!first) return []
  const reached = new Map<TimedStep, Date>()
  for (const event of events) {
    const step = stepOf(event)
    if (step !== undefined && !reached.has(step)) reached.set(step, event.at)
  }
  const begin = first.at.getTime()
  let last = begin
  return [...reached]
    .sort(
      ([one, at], [other, otherAt]) =>
        at.getTime() - otherAt.getTime() || TIMED_STEPS.indexOf(one) - TIMED_STEPS.indexOf(other),
    )
    .map(([step, at]) => {
      const timing = { step, at, sinceStartMs: at.getTime() - begin, sinceLastMs: at.getTime() - last }
      last = at.getTime()
      return timing
    })
}
