import type { EventRow } from '../calls/index.ts'
import { CATALOGUE, isPromptId } from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'

interface Turn {
  seq: number
  at: Date
  leg: 'visitor' | 'resident'
  who: 'porteiro' | 'visitor' | 'resident'
  kind: 'said' | 'key' | 'recorded' | 'understood'
  text: string
  recording: string | null
  ms: number | null
  interrupted: boolean
}

interface Data {
  pieces?: unknown[]
  ms?: number
  interrupted?: boolean
  key?: string
  name?: string
  heard?: boolean
  unit?: string | null
  intent?: string | null
  answer?: string
}

/** The conversation in a journal: prompts, keys, and the meaning of what people said, but not their words. */
export function conversationOf(events: readonly EventRow[], locale: Locale): Turn[] {
  return events.flatMap<Turn>(({ seq, at, kind, leg, data: stored }) => {
    if (leg === null) return []
    const data = (stored ?? {}) as Data
    const turn = { seq, at, leg, who: leg, ms: null, recording: null, interrupted: false }
    if (kind === 'said') {
      const { pieces = [], ms = null, interrupted = false } = data
      const recording = pieces.map(recordingOf).find((name) => name !== null) ?? null
      const said = spokenText(pieces, locale)
      // skip beeps and pauses
      if (said === '' && recording === null) return []
      return [{ ...turn, who: 'porteiro', kind, text: said, recording, ms, interrupted } as const]
    }
    if (kind === 'key') return [{ ...turn, kind, text: data.key ?? '' } as const]
    if (kind === 'recorded') {
      const { name = null, ms = null, heard } = data
      return heard ? [{ ...turn, kind, text: '', recording: name, ms } as const] : []
    }
    if (kind === 'understood') {
      const text = [data.unit, data.intent, data.answer].filter((part) => part != null).join(' · ')
      return [{ ...turn, kind, text } as const]
    }
    return []
  })
}

/** The spoken pieces as one text. A prompt that begins with a capital letter starts a new sentence. */
function spokenText(pieces: readonly unknown[], locale: Locale): string {
  let text = ''
  for (const piece of pieces) {
    const words = wordsOf(piece, locale)
    const begins = typeof piece === 'string' && /^\p{Lu}/u.test(words) && /[\p{L}\p{N}]\s*$/u.test(text)
    text += begins ? `. ${words}` : ` ${words}`
  }
  return text.replace(/\s+/g, ' ').replace(/ \./g, '.').trim()
}

function recordingOf(piece: unknown): string | null {
  const { recording } = Object(piece) as { recording?: unknown }
  return typeof recording === 'string' ? recording : null
}

function wordsOf(piece: unknown, locale: Locale): string {
  if (typeof piece === 'string') return isPromptId(piece) ? CATALOGUE[piece][locale] : ''
  const { spell, speak } = Object(piece) as { spell?: unknown; speak?: unknown }
  return String(spell ?? speak ?? '')
}
