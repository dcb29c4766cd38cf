import { plain } from '../store/plain-text.ts'

/** One word of what was said, or one run of digits. */
export interface Word {
  raw: string
  /** Lower case, without accents and apostrophes: `Não` → `nao`, `don't` → `dont`. */
  plain: string
  /** A comma or more stands before it. */
  breaks: boolean
  /** Nothing stands before it: the B of `501B`. */
  glued: boolean
}

/** Characters of a transcript that are read. People at a gate say less; a recogniser gone wild says more. */
export const TEXT_LIMIT = 1000

/** A dot between groups of three digits is part of a number (`1.203`), any other punctuation is not. */
const WORD = /\d+(?:\.\d{3})*(?!\d)|\d+|\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)*/gu

/** The words of a transcript, of its first TEXT_LIMIT characters. */
export function wordsOf(text: string): Word[] {
  const bounded = text.slice(0, TEXT_LIMIT).normalize('NFC')
  let end = 0
  return Array.from(bounded.matchAll(WORD), ({ 0: raw, index }) => {
    const between = bounded.slice(end, index)
    const first = end === 0
    end = index + raw.length
    return {
      raw,
      plain: plain(raw).replace(/['’.]/g, ''),
      breaks: /[.,;:!?…\n]/.test(between),
      glued: !first && between === '',
    }
  })
}
