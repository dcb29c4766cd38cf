import { z } from 'zod'
import { MACHINES } from '../../../machines/index.ts'
import { fail } from '../../platform/errors.ts'

const key = z.string().regex(/^[0-9A-D*#]$/, 'must be one key: 0 to 9, A to D, * or #')
const how = z.enum(['fin', 'rst', 'hangup', 'error', 'us']).default('hangup')
const nothing = {}

/**
 * Events that may be sent to an actor by hand, with their forms: those that a telephone, a resident or an operator could
 * cause. Events that only a port may report (a lost broker, a joined leg) are not included: the machine would
 * assume something that does not exist.
 */
const FORMS: Record<string, z.ZodRawShape> = {
  'key.pressed': { key },
  'visitor.key.pressed': { key },
  'resident.key.pressed': { key },
  'speech.started': nothing,
  'visitor.speech.started': nothing,
  'resident.speech.started': nothing,
  hungUp: { how },
  'visitor.hungUp': { how },
  'resident.hungUp': { how },
  'leg.hangUp': nothing,
  'call.leg.hangUp': { role: z.enum(['visitor', 'resident']) },
  'decision.given': { verdict: z.enum(['authorized', 'denied']) },
  'call.end': { reason: z.literal('closing').default('closing') },
}

const ALLOWED = new Map(
  MACHINES.map(({ id, events }) => [id as string, (events as string[]).filter((type) => type in FORMS)]),
)

/** Types of events that may be sent to an actor of this machine. */
export function sendableTo(machine: string): readonly string[] {
  return ALLOWED.get(machine) ?? []
}

/** Validates an event. A decision is made `by` the sender. Errors: EVENT_REFUSED. */
export function checkedEvent(machine: string | null, event: unknown, by: string): { type: string } {
  const allowed = machine === null ? [] : sendableTo(machine)
  const { type, ...rest } = (typeof event === 'object' && event !== null ? event : {}) as { type?: unknown }
  if (typeof type !== 'string' || !allowed.includes(type))
    throw fail('EVENT_REFUSED', { event: String(type).slice(0, 60), machine, allowed })
  const parsed = z.strictObject(FORMS[`${machine}.${type}`] ?? FORMS[type]!).safeParse(rest)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || type}: ${message}`)
    throw fail('EVENT_REFUSED', { event: type, machine, allowed, problems })
  }
  return { type, ...parsed.data, ...(type === 'decision.given' && { by, via: 'api' }) }
}
