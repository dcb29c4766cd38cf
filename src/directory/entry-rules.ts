import { z } from 'zod'
import { plain } from '../platform/plain-text.ts'
import { contactPlan } from './contact-plan.ts'
import { phoneNumber } from './phone-number.ts'

/** What brings a visitor. */
export const INTENTS = ['delivery', 'visit', 'service', 'other'] as const
export type Intent = (typeof INTENTS)[number]

/** `+5511*` stands for all numbers that begin so; otherwise a whole number, kept as phoneNumber writes it. */
const phonePattern = z
  .string()
  .trim()
  .transform((value) =>
    value.endsWith('*') ? value.replace(/[\s().-]/g, '') : (phoneNumber(value) ?? value),
  )
  .refine(
    (value) => /^\+?\d{1,15}\*?$/.test(value),
    'must be a number like +5511987654321, or a beginning like +5511*',
  )

const namePattern = z
  .string()
  .trim()
  .refine((value) => wordsOf(value).length > 0, 'must have a word')

/** Never let in: by telephone, by name, or only where both fit. */
export const blockedVisitor = z
  .strictObject({
    phone: phonePattern.optional(),
    name: namePattern.optional(),
    reason: z.string().max(500).optional(),
    /** ISO 8601; from then on it is over. */
    until: z.iso
      .datetime({ offset: true })
      .transform((value) => new Date(value).toISOString())
      .optional(),
  })
  .refine(({ phone, name }) => phone !== undefined || name !== undefined, 'needs a phone or a name')

const time = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time like 08:30')

/** Lets in without asking anybody. One that ends before it begins goes over midnight and belongs to its first day. */
export const autoOpenWindow = z.strictObject({
  /** 1 is Monday, 7 is Sunday. */
  weekdays: z
    .array(z.number().int().min(1).max(7))
    .min(1)
    .transform((days) => [...new Set(days)].sort()),
  from: time,
  to: time,
  timezone: z.string().refine(isTimezone, 'must be a time zone like America/Sao_Paulo'),
  /** Only for those who come for this. It opens on the visitor's word alone. */
  intent: z.enum(INTENTS).optional(),
})

/** The rules of a tenant or of a unit, as a directory file carries them. Given ones replace what there was. */
export const entryRules = z.strictObject({
  plan: contactPlan.optional(),
  blocked: z.array(blockedVisitor).optional(),
  windows: z.array(autoOpenWindow).optional(),
})

export type BlockedVisitor = z.output<typeof blockedVisitor>
export type AutoOpenWindow = z.output<typeof autoOpenWindow>
export type EntryRules = z.output<typeof entryRules>

/** Who is at the gate, as far as it is known. */
export interface Visitor {
  name?: string | null
  phone?: string | null
  /** By rules (`plainIntent` of src/dialogue/understand.ts), never a language model's. */
  intent?: Intent | null
}

/** Whether `visitor` is the one who is blocked, at `now`. */
export function isBlocked({ phone, name, until }: BlockedVisitor, visitor: Visitor, now: Date): boolean {
  if (until !== undefined && Date.parse(until) <= now.getTime()) return false
  if (phone !== undefined && !fitsPhone(phone, visitor.phone ?? '')) return false
  if (name !== undefined && !fitsName(name, visitor.name ?? '')) return false
  return phone !== undefined || name !== undefined
}

function fitsPhone(pattern: string, phone: string): boolean {
  const number = phoneNumber(phone)
  if (number === undefined) return false
  return pattern.endsWith('*') ? number.startsWith(pattern.slice(0, -1)) : number === pattern
}

/** The pattern's words one after another in the name: `joao silv*` is in `Seu João Silveira Neto`. */
function fitsName(pattern: string, name: string): boolean {
  const wanted = wordsOf(pattern)
  const words = wordsOf(name)
  return words.some((_, at) =>
    wanted.every((word, step) => {
      const said = words[at + step]
      if (said === undefined) return false
      return word.endsWith('*') ? said.startsWith(word.slice(0, -1)) : said === word
    }),
  )
}

function wordsOf(text: string): string[] {
  return plain(text).match(/[\p{L}\d'’]+\*?|\*/gu) ?? []
}

/** Whether a window is open for `visitor` at `now`, by the clocks of its time zone. */
export function isOpen(
  { weekdays, from, to, timezone, intent }: AutoOpenWindow,
  visitor: Visitor,
  now: Date,
): boolean {
  if (intent !== undefined && intent !== visitor.intent) return false
  const { weekday, time } = localTime(now, timezone)
  const yesterday = weekday === 1 ? 7 : weekday - 1
  if (from < to) return weekdays.includes(weekday) && time >= from && time < to
  return (weekdays.includes(weekday) && time >= from) || (weekdays.includes(yesterday) && time < to)
}

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

function localTime(now: Date, timeZone: string): { weekday: number; time: string } {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  const parts = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]))
  return { weekday: WEEKDAYS.indexOf(parts['weekday']!) + 1, time: `${parts['hour']}:${parts['minute']}` }
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
