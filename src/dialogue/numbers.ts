import type { Locale } from '../platform/audio.ts'
import { ARTICLES, JOINTS, NUMBER_WORDS, type NumberWord, REPEATS, roomOf } from './number-words.ts'
import { type Word, wordsOf } from './words.ts'

/** A number in what was said. */
export interface SpokenNumber {
  /** As digits, the likeliest first: `vinte um` is 21, and 201 to those who spell. Leading zeros are kept. */
  readings: string[]
  /** Words that it takes: from, to (exclusive). */
  from: number
  to: number
  /** A lone `um` or `one`, which is more often an article. */
  weak: boolean
}

/** More digits than any unit has (the directory allows 16). */
const DIGITS = 16
/** Readings of one number that are worth a look in the directory. */
const READINGS = 6

interface Token extends NumberWord {
  digits: string
  /** Written in digits, or said as a word. */
  written: boolean
  /** How it is joined to the one before. */
  joint: 'none' | 'and'
  from: number
  to: number
}

/**
 * Every number in Portuguese, English or digits, mixed as recognisers write them, in the order of the text. In English
 * `um` is a hesitation.
 */
export function numbersIn(said: string | Word[], locale: Locale = 'pt-BR'): SpokenNumber[] {
  const words = typeof said === 'string' ? wordsOf(said) : said
  const found: SpokenNumber[] = []
  let run: Token[] = []
  const close = () => {
    // what cannot be added to the part before an "e" begins another number: 101 e 102
    for (let rest = withHundreds(run); rest.length > 0; ) {
      const { readings, taken } = read(rest)
      const used = rest.slice(0, taken)
      const from = used[0]!.from
      const to = used.at(-1)!.to
      const lone = taken === 1 && words.slice(from, to).every((word) => ARTICLES.has(word.plain))
      const half = lone && words[from]!.plain === 'meia'
      if (!half) found.push({ readings, from, to, weak: lone && words.length > 1 })
      rest = rest.slice(taken)
    }
    run = []
  }
  for (let at = 0; at < words.length; ) {
    const token = tokenAt(words, at, locale)
    if (!token) {
      const joins = run.length > 0 && JOINTS.has(words[at]!.plain) && !words[at]!.breaks
      const next = joins ? tokenAt(words, at + 1, locale) : undefined
      if (!next || words[at + 1]!.breaks) {
        close()
        at += 1
        continue
      }
      run.push({ ...next, joint: 'and' })
      at = next.to
      continue
    }
    const last = run.at(-1)
    // recognisers put commas between digits that are spelt: 1, 0, 1
    if (last && words[at]!.breaks && !(last.digits.length === 1 && token.digits.length === 1)) close()
    run.push(token)
    at = token.to
  }
  close()
  return found
}

function tokenAt(words: Word[], at: number, locale: Locale): Token | undefined {
  const word = words[at]
  if (!word) return undefined
  const place = { joint: 'none', from: at, to: at + 1 } as const
  if (/^\d+$/.test(word.plain)) {
    const digits = word.plain.slice(0, DIGITS)
    const room = digits.startsWith('0') ? 0 : roomOf(Number(digits))
    return { value: Number(digits), room, digits, written: true, ...place }
  }
  const times = REPEATS.get(word.plain)
  if (times !== undefined) {
    const next = tokenAt(words, at + 1, locale)
    if (!next || next.digits.length > 1) return undefined
    return { ...next, value: Number.NaN, room: 0, digits: next.digits.repeat(times), from: at, to: next.to }
  }
  const known = NUMBER_WORDS.get(word.plain)
  if (!known || (locale === 'en' && /^h?uma?$/.test(word.plain))) return undefined
  return { ...known, digits: String(known.value), written: false, ...place }
}

/** `two hundred` as one token, so that a thousand before it takes both. */
function withHundreds(run: Token[]): Token[] {
  return run.flatMap((token, at) => {
    const [before, after] = [run[at - 1], run[at + 1]]
    if (before && multiplies(token, before)) return []
    if (!after || !multiplies(after, token)) return [token]
    const value = token.value * 100
    return [{ ...token, value, room: 100, digits: String(value), to: after.to }]
  })
}

function multiplies(hundred: Token, { value }: Token): boolean {
  return hundred.scale === 100 && hundred.joint === 'none' && value >= 1 && value < 100
}

interface Piece {
  value: number
  room: number
  digits: string
}

interface Reading {
  pieces: Piece[]
  taken: number
}

/** All ways to read a run, the likeliest first. Every way takes as many tokens as the first. */
function read(run: Token[]): { readings: string[]; taken: number } {
  const ways: Reading[] = []
  extend(run, 0, [], ways)
  const { taken } = ways[0]!
  const readings = ways
    .filter((way) => way.taken === taken)
    .map(({ pieces }) =>
      pieces
        .map(({ digits }) => digits)
        .join('')
        .slice(0, DIGITS),
    )
  return { readings: [...new Set(readings)].slice(0, READINGS), taken }
}

function extend(run: Token[], at: number, pieces: Piece[], ways: Reading[]): void {
  if (ways.length >= READINGS * 2) return
  const token = run[at]
  const last = pieces.at(-1)
  const sum = token && last && added(last, token)
  if (!token || (token.joint === 'and' && last && !sum)) {
    ways.push({ pieces, taken: at })
    return
  }
  const own: Piece = { value: token.value, room: token.room, digits: token.digits }
  const apart = [...pieces, own]
  const together = sum && [...pieces.slice(0, -1), sum]
  const next = (way: Piece[]) => extend(run, at + 1, way, ways)
  if (!together) next(apart)
  else if (token.joint === 'and' || token.scale) next(together)
  // "vinte um" is rather 21, but a recogniser that writes 20 1 heard two numbers
  else for (const way of token.written ? [apart, together] : [together, apart]) next(way)
}

/** `last` and `token` as one number, where grammar allows it. */
function added(last: Piece, token: Token): Piece | undefined {
  const { scale } = token
  if (scale !== undefined && token.joint === 'none' && last.value >= 1 && last.value < scale) {
    const value = last.value * scale
    return { value, room: scale, digits: String(value) }
  }
  if (!(token.value > 0 && token.value < last.room) || token.digits.startsWith('0')) return undefined
  const value = last.value + token.value
  // 1000 + 200 still takes 3
  return { value, room: token.room, digits: String(value) }
}
