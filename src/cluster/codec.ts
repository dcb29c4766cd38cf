import { WORD_BYTES } from './topics.ts'

/** Characters of a word that say what it is a part of. */
const HEAD = 64
/** Everything beyond it is escaped, so that characters are bytes. */
const NOT_ASCII = /[\u007f-\uffff]/g

/** A part of what a stream tells. */
interface StreamWord {
  stream: string
  /** Counts from 0; a gap is a loss. */
  number: number
  /** `.` ends a batch, `+` does not, `!` ends the stream. */
  mark: string
  part: string
}

/** JSON texts as words of one stream, the first with this number. None of them may hold a line break, as JSON.stringify has none. */
export function streamWords(stream: string, number: number, messages: readonly string[]): string[] {
  const text = messages
    .join('\n')
    .replace(NOT_ASCII, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  const size = WORD_BYTES - HEAD
  return Array.from({ length: Math.max(1, Math.ceil(text.length / size)) }, (_, at) => {
    const last = (at + 1) * size >= text.length
    return `${stream} ${number + at} ${last ? '.' : '+'} ${text.slice(at * size, (at + 1) * size)}`
  })
}

/** The last word of a stream. */
export function lastStreamWord(stream: string, number: number): string {
  return `${stream} ${number} ! `
}

/** Undefined for what is no word of a stream. */
export function readStreamWord(word: string): StreamWord | undefined {
  const [, stream, number, mark, part] = /^(\S+) (\d+) ([.+!]) ([\s\S]*)$/.exec(word) ?? []
  if (stream === undefined) return undefined
  return { stream, number: Number(number), mark: mark!, part: part! }
}

/** The JSON texts of a batch whose parts are together again. */
export function messagesOf(parts: readonly string[]): string[] {
  const text = parts.join('')
  return text === '' ? [] : text.split('\n')
}
