import type { Locale } from '../platform/audio.ts'
import { type DirectoryIndex, type Fit, type IndexedUnit, numberKey } from './directory-index.ts'
import { nameKey, nameScore } from './names.ts'
import { unitIn } from './spoken-unit.ts'

/** 0 to 100: from here on two names are the same to us (DESIGN: threshold 75). */
const MATCH_THRESHOLD = 75
/** A second unit this near to the best makes the best ambiguous. */
const MATCH_MARGIN = 6
/** A named resident this sure in another unit contradicts the number. */
const CONTRADICTS = 90
/** Scores of what is no comparison of names. */
const SCORES: Record<Fit, number> = { whole: 100, 'without-block': 80, 'without-letter': 80 }
const REASONS = {
  whole: 'number',
  'without-block': 'number-part',
  'without-letter': 'number-letter',
} as const
/** Units that are offered for a choice. */
const OFFERED = 5

/** What is known of whom somebody wants; the machine's slots. */
export interface WantedUnit {
  /** Keys (`101`), or as said (`apto 501 bloco B`, `quinhentos e um`). */
  unit?: string | null | undefined
  block?: string | null | undefined
  tower?: string | null | undefined
  resident?: string | null | undefined
  locale?: Locale
}

type MatchReason =
  /** The number is one of the directory; a resident may be named besides. */
  | 'number'
  | 'number-and-resident'
  /** The number fits, and a block was named in a directory without blocks. */
  | 'number-part'
  /** The number lacks a letter, so it is another one; a resident may tell which. */
  | 'number-letter'
  | 'label'
  | 'resident'

interface MatchCandidate<U extends IndexedUnit> {
  /** With all its residents, in their order. */
  unit: U
  /** The one who was named, when only one of the unit fits. */
  resident: U['residents'][number] | null
  score: number
  reason: MatchReason
}

export type Match<U extends IndexedUnit> =
  | ({ kind: 'found' } & MatchCandidate<U>)
  /** At least two, best first. `number`: that of all of them, where only the block or tower is missing. */
  | { kind: 'ambiguous'; candidates: MatchCandidate<U>[]; number?: string }
  /** `contradiction`: a number and a name of two units, in `candidates`. */
  | { kind: 'contradiction'; candidates: MatchCandidate<U>[] }
  | { kind: 'unknown'; reason: 'nothing-said' | 'no-such-unit' | 'no-such-resident' }

/** Finds the unit somebody wants; a number wins over a name, and a name tells units of one number apart. */
export function matchUnit<U extends IndexedUnit>(
  index: DirectoryIndex<U>,
  { unit, block, tower, resident, locale = 'pt-BR' }: WantedUnit,
): Match<U> {
  const wanted = unit?.trim() ?? ''
  const name = nameKey(resident ?? '').text === '' ? '' : resident!
  if (wanted === '' && name === '') return { kind: 'unknown', reason: 'nothing-said' }
  const units = wanted === '' ? [] : unitsOf(index, wanted, namesOf(block, tower), locale)
  if (name === '') return settle(units, 'no-such-unit')
  const people = residentsOf(index, name)
  if (units.length === 0) return settle(people, wanted === '' ? 'no-such-resident' : 'no-such-unit')
  const named = units.map((candidate) => withResident(candidate, name))
  const both = named.filter(({ reason }) => reason === 'number-and-resident')
  if (both.length > 0) return settle(both, 'no-such-unit')
  const elsewhere = people.filter(({ score }) => score >= CONTRADICTS)
  if (elsewhere.length > 0) {
    return { kind: 'contradiction', candidates: [...units, ...elsewhere].slice(0, OFFERED) }
  }
  // the guest may know the flat and call its people by names that we do not have
  return settle(units, 'no-such-unit')
}

function unitsOf<U extends IndexedUnit>(
  index: DirectoryIndex<U>,
  wanted: string,
  names: readonly string[],
  locale: Locale,
): MatchCandidate<U>[] {
  const byNumber = (number: string, inside: readonly string[]): MatchCandidate<U>[] => {
    const { units, fits } = index.byNumber(number, inside)
    return units.map((unit) => ({ unit, resident: null, score: SCORES[fits], reason: REASONS[fits] }))
  }
  // as dialled or as the directory writes it: 101, 12b
  const literal = /^[0-9A-Za-z]{1,16}$/.test(wanted) ? byNumber(wanted, names) : []
  if (literal.length > 0) return literal
  const spoken = unitIn(wanted, locale)
  // 22B in block A is not 22 in block A
  const inside = [...names, ...namesOf(spoken?.block, spoken?.tower)]
  for (const number of spoken?.named ?? []) {
    const found = byNumber(number.replaceAll(' ', ''), inside)
    if (found.length > 0) return found
    const labelled = labelledOf(index, number)
    if (labelled.length > 0) return labelled
  }
  // where units have such names, the number alone is another unit
  if (spoken?.named?.some((name) => index.mentions(name.replace(/ \d+$/, '')))) return []
  // other readings of what was said are other numbers
  const [reading] = spoken?.readings ?? []
  const found = reading === undefined ? [] : byNumber(reading, inside)
  return found.length > 0 ? found : labelledOf(index, wanted)
}

function labelledOf<U extends IndexedUnit>(index: DirectoryIndex<U>, label: string): MatchCandidate<U>[] {
  return index
    .byLabel(label, MATCH_THRESHOLD)
    .map(({ unit, score }) => ({ unit, resident: null, score, reason: 'label' as const }))
}

function namesOf(...names: (string | null | undefined)[]): string[] {
  return names.filter((name) => name != null && name.trim() !== '') as string[]
}

/** One candidate a unit; of two residents that fit alike none is named. */
function residentsOf<U extends IndexedUnit>(index: DirectoryIndex<U>, name: string): MatchCandidate<U>[] {
  const units = new Map<string, MatchCandidate<U>>()
  for (const { unit, resident, score } of index.byName(name, MATCH_THRESHOLD)) {
    const known = units.get(unit.id)
    if (!known) units.set(unit.id, { unit, resident, score, reason: 'resident' })
    else if (known.score - score < MATCH_MARGIN) known.resident = null
  }
  return [...units.values()]
}

function withResident<U extends IndexedUnit>(candidate: MatchCandidate<U>, name: string): MatchCandidate<U> {
  const said = nameKey(name)
  const scored = candidate.unit.residents
    .map((resident) => ({ resident, score: nameScore(said, nameKey(resident.name)) }))
    .filter(({ score }) => score >= MATCH_THRESHOLD)
    .sort((a, b) => b.score - a.score)
  const [best, second] = scored
  if (!best) return candidate
  const alone = !second || best.score - second.score >= MATCH_MARGIN
  return { ...candidate, resident: alone ? best.resident : null, reason: 'number-and-resident' }
}

function settle<U extends IndexedUnit>(
  candidates: MatchCandidate<U>[],
  reason: 'no-such-unit' | 'no-such-resident',
): Match<U> {
  const [best] = candidates
  if (!best) return { kind: 'unknown', reason }
  if (candidates.length === 1 && best.reason === 'number-letter') return { kind: 'unknown', reason }
  const near = candidates.filter(({ score }) => best.score - score < MATCH_MARGIN)
  if (near.length > 1) {
    const number = near.every(({ unit, reason }) => reason !== 'resident' && isSameNumber(unit, best.unit))
    return {
      kind: 'ambiguous',
      candidates: near.slice(0, OFFERED),
      ...(number && { number: best.unit.number }),
    }
  }
  return { kind: 'found', ...best }
}

function isSameNumber(a: IndexedUnit, b: IndexedUnit): boolean {
  return numberKey(a.number) === numberKey(b.number)
}
