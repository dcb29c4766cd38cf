import { z } from 'zod'
import { fold, latin, plain } from '../platform/plain-text.ts'
import { contactPlan } from './contact-plan.ts'
import { callerNumber } from './phone-number.ts'

/** Why a visitor comes. */
export const INTENTS = ['delivery', 'visit', 'service', 'other'] as const
export type Intent = (typeof INTENTS)[number]

/** `+5511*` matches all numbers with this prefix; otherwise a whole number, normalised by callerNumber. */
const phonePattern = z
  .string()
  .trim()
  .transform((value) =>
    value.endsWith('*') ? value.replace(/[\s().-]/g, '') : (callerNumber(value) ?? value),
  )
  .refine(
    (value) => /^\+?\d{1,15}\*?$/.test(value),
    'must be a number like +5511987654321, or a prefix like +5511*',
  )

const namePattern = z
  .string()
  .trim()
  .refine((value) => wordsOf(value).length > 0, 'must have a word')

/** A blocked visitor: by telephone, by name, or only if both match. */
export const blockedVisitor = z
  .strictObject({
    phone: phonePattern.optional(),
    name: namePattern.optional(),
    reason: z.string().max(500).optional(),
    /** ISO 8601; the rule ends then. */
    until: z.iso
      .datetime({ offset: true })
      .transform((value) => new Date(value).toISOString())
      .optional(),
  })
  .refine(({ phone, name }) => phone !== undefined || name !== undefined, 'needs a phone or a name')

const time = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time like 08:30')

/** The fields of a window, each valid by itself. */
export const windowFields = z.strictObject({
  /** 1 is Monday, 7 is Sunday. */
  weekdays: z
    .array(z.number().int().min(1).max(7))
    .min(1)
    .transform((days) => [...new Set(days)].sort()),
  from: time,
  to: time,
  timezone: z.string().refine(isTimezone, 'must be a time zone like America/Sao_Paulo'),
  /** Only for visitors with this intent. Only their own words prove it, so the tenant must trust those (`trustsIntent`). */
  intent: z.enum(INTENTS).optional(),
})

/** Opens without asking anybody. A window that ends before it begins spans midnight and belongs to its first day. */
const autoOpenWindow = windowFields.refine((window) => !isEmptyWindow(window), {
  path: ['to'],
  message: 'must differ from "from"',
})

/** The rules of a tenant or unit in a directory file. Given rules replace the existing ones. */
export const entryRules = z.strictObject({
  plan: contactPlan.optional(),
  blocked: z.array(blockedVisitor).optional(),
  windows: z.array(autoOpenWindow).optional(),
})

export type BlockedVisitor = z.output<typeof blockedVisitor>
export type AutoOpenWindow = z.output<typeof windowFields>
export type EntryRules = z.output<typeof entryRules>

/** The known facts about a visitor. */
export interface Visitor {
  name?: string | null
  phone?: string | null
  /** Found by rules (`plainIntent` of src/dialogue/understand.ts), never by a language model. */
  intent?: Intent | null
}

/** Whether the rule blocks `visitor` at `now`. */
export function isBlocked({ phone, name, until }: BlockedVisitor, visitor: Visitor, now: Date): boolean {
  if (until !== undefined && Date.parse(until) <= now.getTime()) return false
  if (phone !== undefined && !fitsPhone(phone, visitor.phone ?? '')) return false
  if (name !== undefined && !fitsName(name, visitor.name ?? '')) return false
  return phone !== undefined || name !== undefined
}

function fitsPhone(pattern: string, phone: string): boolean {
  const number = callerNumber(phone)
  if (number === undefined) return false
  return pattern.endsWith('*') ? number.startsWith(pattern.slice(0, -1)) : number === pattern
}

/**
 * Whether the name contains the pattern's words in sequence, as they sound: `joao silv*` matches `Seu João Silveira Neto`, and
 * `thiago` a recogniser's `tiago`.
 */
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
  return (plain(latin(text)).match(/[\p{L}\d'’]+\*?|\*/gu) ?? []).map(fold)
}

/** Whether it begins when it ends. Such a window used to be open all day; it is no longer open at all. */
export function isEmptyWindow({ from, to }: Pick<AutoOpenWindow, 'from' | 'to'>): boolean {
  return from === to
}

/** Whether a window is open for `visitor` at `now`, in its time zone. */
export function isOpen(
  { weekdays, from, to, timezone, intent }: AutoOpenWindow,
  visitor: Visitor,
  now: Date,
): boolean {
  if (isEmptyWindow({ from, to })) return false
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
