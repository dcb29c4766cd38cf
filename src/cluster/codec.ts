import { WORD_BYTES } from './topics.ts'

/** Length of a word's header: stream, number and mark. */
const HEAD = 64
/** Escaped, so that every character is one byte. */
const NOT_ASCII = /[\u007f-\uffff]/g

/** A part of a batch of a stream's messages. */
interface StreamWord {
  stream: string
  /** Counts from 0; a gap is a loss. */
  number: number
  /** `.` ends a batch, `+` does not, `!` ends the stream. */
  mark: string
  part: string
}

/** JSON texts as words of one stream, numbered from `number`. No text may hold a line break; JSON.stringify writes none. */
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

/** Undefined when `word` is not one of a stream. */
export function readStreamWord(word: string): StreamWord | undefined {
  const [, stream, number, mark, part] = /^(\S+) (\d+) ([.+!]) ([\s\S]*)$/.exec(word) ?? []
  if (stream === undefined) return undefined
  return { stream, number: Number(number), mark: mark!, part: part! }
}

/** The JSON texts of a batch, from its parts in order. */
export function messagesOf(parts: readonly string[]): string[] {
  const text = parts.join('')
  return text === '' ? [] : text.split('\n')
}
