import { plain } from '../platform/plain-text.ts'

/** One word of what was said, or one run of digits. */
export interface Word {
  raw: string
  /** Lower case, without accents and apostrophes: `Não` → `nao`, `don't` → `dont`. */
  plain: string
  /** A comma or more stands before it. */
  breaks: boolean
  /** Nothing stands before it: the B of `501B`. */
  glued: boolean
  /** A question mark stands after it. */
  asked: boolean
}

/** Characters of a transcript that are read. People at a gate say less; a recogniser gone wild says more. */
export const TEXT_LIMIT = 1000

/** A mark between groups of three digits is part of a number (`1.203`), a time of day is one word, and no number. */
const WORD = /\d{1,2}:\d{2}(?!\d)|\d+(?:[.,]\d{3})*(?!\d)|\d+|\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)*/gu

/** The words of a transcript, of its first TEXT_LIMIT characters. */
export function wordsOf(text: string): Word[] {
  const bounded = text.slice(0, TEXT_LIMIT).normalize('NFC')
  const matches = [...bounded.matchAll(WORD)]
  return matches.map(({ 0: raw, index }, at) => {
    const before = matches[at - 1]
    const between = bounded.slice(before ? before.index + before[0].length : 0, index)
    const after = bounded.slice(index + raw.length, matches[at + 1]?.index)
    return {
      raw,
      plain: plain(raw).replace(/['’.,]/g, ''),
      breaks: at > 0 && /[.,;:!?…\n]/.test(between),
      glued: at > 0 && between === '',
      asked: after.includes('?'),
    }
  })
}
