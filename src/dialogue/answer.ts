import type { Locale } from '../platform/audio.ts'
import { ENGLISH } from './answer-english.ts'
import type { AnswerWords } from './answer-lexicon.ts'
import { PORTUGUESE } from './answer-portuguese.ts'
import { readClosedAnswer } from './closed-answer.ts'
import { readGreeting } from './greeting.ts'
import { TEXT_LIMIT, type Word, wordsOf } from './words.ts'

/**
 * `likely-yes`: holds a yes, but is not one and nothing else, so that it must be asked back. `who`: tell again who is there.
 * `talk`: put the visitor through.
 */
export type AnswerMeaning = 'yes' | 'likely-yes' | 'no' | 'who' | 'talk' | 'unclear'

interface ReadAnswer {
  answer: AnswerMeaning
  /** 0 to 1: how much of what was said belongs to the answer, or how sure the recogniser is, whichever is less. */
  confidence: number
}

/** What a recogniser knows of its own text. */
interface Recognition {
  /** False: something was said that is not in the text. */
  complete?: boolean | undefined
  /** 0 to 1, of the least certain word; undefined where it does not tell. */
  confidence?: number | undefined
  /** It began while the question was still asked: "tá bom" may mean "I hear you". */
  interrupts?: boolean | undefined
}

/** A yes or a no that is a small part of many words was rather said to somebody else in the room. */
const COVERED = 0.4
/** Below this a recogniser's word is as likely another one. */
const CERTAIN = 0.6
/** Words of a clause in which a negation about nothing known is still a no. */
const SHORT = 3

const LEXICONS: Record<Locale, AnswerWords> = { 'pt-BR': PORTUGUESE, en: ENGLISH }

const UNCLEAR: ReadAnswer = { answer: 'unclear', confidence: 0 }

/** What one clause says. */
interface Clause {
  who: boolean
  talk: boolean
  yes: boolean
  /** The yes is a verb or a phrase, not only a word. */
  lets: boolean
  greets: boolean
  no: boolean
  /** Holds a negation, of whatever it may be. */
  negates: boolean
  /** Contradicts itself, asks back, or makes conditions. */
  doubt: boolean
  /** Characters that belong to any of these. */
  covered: number
}

/**
 * The answer of a RESIDENT who was asked whether the visitor may come in. Only ever for what the resident's own leg
 * heard: a visitor cannot authorise himself, so nothing that a visitor says may be given to this.
 *
 * A yes is one of few whole sentences, heard without a gap and with certainty; a sentence that only holds one is a
 * `likely-yes`. In doubt it is `unclear`, because a gate that stays closed is opened by asking again: a negation or a
 * refusal beside a yes, a negated refusal, a condition, a hedge, a question, a no that was not heard for certain, and all
 * that mailboxes say. A question about who is there, or for a repetition, is `who`, whatever else was said.
 */
export function readAnswer(
  text: string,
  locale: Locale = 'pt-BR',
  { complete = true, confidence: certainty = 1, interrupts = false }: Recognition = {},
): ReadAnswer {
  // a "no" may stand in what is cut off
  if (text.length > TEXT_LIMIT) return UNCLEAR
  // a question mark alone, as people write it
  if (/^[\s?!¿¡.]*\?[\s?!.]*$/.test(text)) return { answer: 'who', confidence: certainty }
  const isCertain = complete && certainty >= CERTAIN
  const closed = readClosedAnswer(text, locale)
  if (closed === 'no') return { answer: isCertain ? 'no' : 'unclear', confidence: certainty }
  if (closed) {
    const decides = isCertain && !(interrupts && closed === 'agrees')
    return { answer: decides ? 'yes' : 'likely-yes', confidence: certainty }
  }
  if (readGreeting(text, locale) === 'machine') return UNCLEAR
  const lexicon = LEXICONS[locale]
  const clauses = clausesOf(text)
  const read = clauses.map(({ plain, asks }) => readClause(plain, asks, lexicon))
  const some = (name: keyof Clause) => read.some((clause) => clause[name])
  const said = clauses.reduce((sum, { plain }) => sum + plain.length, 0)
  const covered = read.reduce((sum, clause) => sum + clause.covered, 0)
  const confidence = said === 0 ? 0 : Math.min(1, covered / said, certainty)
  const isMost = said > 0 && covered / said >= COVERED
  const meaning = (answer: AnswerMeaning) => ({ answer, confidence })
  if (some('talk')) return meaning('talk')
  if (some('who')) return meaning('who')
  if (some('doubt') || (some('yes') && some('negates'))) return UNCLEAR
  if (some('no')) return isCertain && isMost ? meaning('no') : UNCLEAR
  // "alô, sim" takes the telephone up; "bom dia, pode entrar" decides
  if (some('greets') && !some('lets')) return UNCLEAR
  return some('yes') && isMost ? meaning('likely-yes') : UNCLEAR
}

function readClause(text: string, asks: boolean, lexicon: AnswerWords): Clause {
  const find = (pattern: RegExp) => text.match(pattern) ?? []
  const who = find(lexicon.who)
  const talk = find(lexicon.talk)
  const lets = find(lexicon.yes)
  const yes = [...lets, ...find(lexicon.bare)]
  const negations = find(lexicon.negation)
  const refusals = find(lexicon.refusal)
  const negated = find(lexicon.negated)
  const idiom = find(lexicon.idiom)
  const hedges = find(lexicon.hedge)
  const about = yes.length + negated.length > 0 || text.split(' ').length <= SHORT || negations.length > 1
  const no = refusals.length > 0 || (negations.length > 0 && about)
  const contradicts =
    (negations.length > 0 && (refusals.length > 0 || talk.length > 0 || affirms(text))) ||
    (refusals.length > 0 && yes.length > 0)
  const doubt = hedges.length > 0 || idiom.length > 0 || contradicts || asks
  const parts = [...who, ...talk, ...yes, ...negations, ...refusals, ...negated, ...find(lexicon.courtesy)]
  return {
    who: who.length > 0,
    talk: talk.length > 0 && negations.length === 0,
    yes: yes.length > 0 && negations.length === 0 && !doubt,
    lets: lets.length > 0,
    greets: find(lexicon.greeting).length > 0,
    no: no && !doubt,
    negates: no || negations.length > 0,
    // a question about the visitor is no doubt about the answer
    doubt: doubt && who.length === 0,
    covered: parts.reduce((sum, part) => sum + part.length, Math.max(0, parts.length - 1)),
  }
}

/** "Sim" and "yes" are never what a negation is about: "não sim" takes one of them back. */
function affirms(text: string): boolean {
  return /\b(?:sim|yes)\b/.test(text)
}

interface SaidClause {
  plain: string
  asks: boolean
}

/** What stands between commas, full stops or a "but", each with whether it ends in a question mark. */
function clausesOf(text: string): SaidClause[] {
  const clauses: Word[][] = []
  for (const word of wordsOf(text)) {
    if (/^(?:mas|porem|but)$/.test(word.plain)) clauses.push([])
    else if (word.breaks || clauses.length === 0) clauses.push([word])
    else clauses.at(-1)!.push(word)
  }
  return clauses
    .filter((clause) => clause.length > 0)
    .map((clause) => ({
      plain: clause.map(({ plain }) => plain).join(' '),
      asks: clause.at(-1)!.asked,
    }))
}
