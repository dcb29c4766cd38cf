import type { Locale } from '../platform/audio.ts'
import { numbersIn } from './numbers.ts'
import { unitIn } from './spoken-unit.ts'
import {
  ARTICLES_AND_TITLES,
  COMPANIES,
  COMPANY_LEADS,
  GREETINGS,
  INTENT_WORDS,
  NAME_LEADS,
  NAME_PARTICLES,
  NEGATIONS,
  NOT_A_NAME,
  RESIDENT_LEADS,
  type SpokenIntent,
} from './visitor-words.ts'
import { type Word, wordsOf } from './words.ts'

/**
 * What a visitor said about himself, and nothing else: there is no field in which a decision could stand. null: not
 * said.
 */
export interface Slots {
  intent: SpokenIntent | null
  /** The visitor's. */
  name: string | null
  /** Digits, as matchUnit takes them. */
  unit: string | null
  block: string | null
  /** Beside a block. */
  tower?: string
  resident: string | null
  company: string | null
}

/** What was asked: a bare answer ("João") fills that slot. */
export type Asked = 'unit' | 'name' | 'resident' | 'purpose'

/** Words of a name, particles included. */
const NAME_WORDS = 6

/** The slots by rules, in Portuguese and English; of the first TEXT_LIMIT characters. */
export function slotsByRules(text: string, locale: Locale = 'pt-BR', asked?: Asked): Slots {
  const words = wordsOf(text)
  const unit = unitIn(words, locale)
  const company = companyIn(words)
  // "sou da Amazon" names a company where others name themselves
  const notCompany = (name: string | null) =>
    name !== null && firstWord(name) === firstWord(company) ? null : name
  const name = notCompany(nameAfter(words, NAME_LEADS, locale) ?? nameAfterIs(words, locale))
  const resident = notCompany(nameAfter(words, RESIDENT_LEADS, locale))
  const bare =
    name === null && resident === null
      ? nameAt(words, /^eh?$/.test(words[0]?.plain ?? '') ? 1 : 0, locale)
      : null
  const intent = intentOf(words, locale)
  return {
    intent: intent ?? (asked === 'purpose' && words.length > 0 && !negates(words, locale) ? 'other' : null),
    name: name ?? (asked === 'name' ? bare : null),
    unit: unit?.named?.[0] ?? unit?.readings[0] ?? null,
    block: unit?.block ?? null,
    ...(unit?.tower !== undefined && { tower: unit.tower }),
    resident: resident ?? (asked === 'resident' ? bare : null),
    company,
  }
}

/** Whether something is denied. What exactly, rules cannot tell: no intent is taken from such words. */
export function negates(words: readonly Word[], locale: Locale): boolean {
  return words.some(({ plain }) => NEGATIONS[locale].has(plain))
}

function intentOf(words: Word[], locale: Locale): SpokenIntent | null {
  if (negates(words, locale)) return null
  let best: SpokenIntent | null = null
  let most = 0
  for (const [intent, known] of Object.entries(INTENT_WORDS)) {
    const count = words.filter(({ plain }) => known.has(plain)).length
    if (count > most) [best, most] = [intent as SpokenIntent, count]
  }
  return best
}

/**
 * "É o João": a name after "is" and an article, where that begins what is said or stands after a greeting or a number. Elsewhere it
 * is about somebody else: "o morador é o João".
 */
function nameAfterIs(words: Word[], locale: Locale): string | null {
  for (const [at, { raw, breaks }] of words.entries()) {
    const before = words[at - 1]
    const begins = breaks || !before || GREETINGS.has(before.plain) || numbersIn([before], locale).length > 0
    if (!begins || !/^é$/i.test(raw) || !/^[oa]$/.test(words[at + 1]?.plain ?? '')) continue
    const name = nameAt(words, at + 2, locale)
    if (name !== null) return name
  }
  return null
}

function companyIn(words: Word[]): string | null {
  const plain = words.map((word) => word.plain)
  const known = COMPANIES.find(
    (company) =>
      indexOfWords(
        plain,
        wordsOf(company).map((w) => w.plain),
      ) >= 0,
  )
  if (known) return known
  for (const lead of COMPANY_LEADS) {
    const parts = lead.split(' ')
    const at = indexOfWords(plain, parts)
    const word = words[at + parts.length]
    if (at >= 0 && word && !NOT_A_NAME.has(word.plain) && !/^\d/.test(word.plain)) return titled([word])
  }
  return null
}

/** The name after the first of `leads` that has one; a longer lead goes before its own beginning. */
function nameAfter(words: Word[], leads: readonly string[], locale: Locale): string | null {
  const plain = words.map((word) => word.plain)
  for (const lead of leads) {
    const parts = lead.split(' ')
    for (let at = indexOfWords(plain, parts); at >= 0; at = indexOfWords(plain, parts, at + 1)) {
      const name = nameAt(words, at + parts.length, locale)
      if (name !== null) return name
    }
  }
  return null
}

/** Articles and titles skipped, then words until one that belongs to no name. */
function nameAt(words: Word[], from: number, locale: Locale): string | null {
  let start = from
  while (ARTICLES_AND_TITLES.has(words[start]?.plain ?? '')) start += 1
  const isPart = (word: Word | undefined, at: number) =>
    word !== undefined &&
    !NOT_A_NAME.has(word.plain) &&
    !isIntent(word.plain) &&
    !(at > start && word.breaks) &&
    numbersIn([word], locale).length === 0
  let end = start
  while (end < words.length && end - start < NAME_WORDS) {
    const word = words[end]!
    const particle = end > start && NAME_PARTICLES.has(word.plain) && !word.breaks
    if (particle && isPart(words[end + 1], end + 1) && !isCompany(words[end + 1]!.plain)) end += 2
    else if (!particle && isPart(word, end) && !(end === start && NAME_PARTICLES.has(word.plain))) end += 1
    else break
  }
  return end > start ? titled(words.slice(start, end)) : null
}

function isIntent(plain: string): boolean {
  return Object.values(INTENT_WORDS).some((known) => known.has(plain))
}

function isCompany(plain: string): boolean {
  return COMPANIES.some((company) => wordsOf(company)[0]!.plain === plain)
}

function firstWord(text: string | null): string | undefined {
  return text === null ? undefined : wordsOf(text)[0]?.plain
}

/** João da Silva, however the recogniser wrote it. */
function titled(words: Word[]): string {
  return words
    .map(({ raw, plain }) => {
      if (NAME_PARTICLES.has(plain)) return raw.toLowerCase()
      const mixed = /\p{Lu}/u.test(raw) && /\p{Ll}/u.test(raw)
      return mixed ? raw : raw[0]!.toUpperCase() + raw.slice(1).toLowerCase()
    })
    .join(' ')
}

function indexOfWords(words: readonly string[], wanted: readonly string[], from = 0): number {
  for (let at = from; at + wanted.length <= words.length; at += 1) {
    if (wanted.every((word, step) => words[at + step] === word)) return at
  }
  return -1
}
