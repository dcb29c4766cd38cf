import { fail } from '../platform/errors.ts'
import type { Spacing } from './spacing.ts'
import type { Violation } from './violation.ts'

/** How a call ended: 0x00 arrived, the server closed without it, we hung up, a rule was broken, or nothing listened. */
export type EndedBy = 'server-hangup' | 'server-close' | 'us' | 'violation' | 'refused'

/** An utterance as it was heard; `prompt` is undefined for audio that is not in the vocabulary. */
export interface Heard {
  readonly prompt: string | undefined
  readonly text: string
  /** Other prompts with exactly the same sound. */
  readonly aliases: readonly string[]
  /** Time of its first frame, in ms since the phone was created. */
  readonly startedAt: number
  /** Received audio in ms. */
  readonly ms: number
  /** Every frame of the prompt arrived unchanged; for a looped tone, at least one whole round. */
  readonly complete: boolean
}

/** The summary of a call. Times are ms. */
export interface Ended {
  readonly by: EndedBy
  readonly at: number
  readonly violations: readonly Violation[]
  /** Distance of frames inside running audio. */
  readonly spacing: Spacing
  /** Maximum number of back-to-back frames (less than 5 ms apart). */
  readonly burst: number
  /** Reads that ended inside a message; 0 when every message left in one write and the network was idle. */
  readonly partialReads: number
  /** Maximum lateness of the phone's own clock: this part of `spacing` may be the phone's fault. */
  readonly ownLatenessMs: number
  readonly framesIn: number
  readonly framesOut: number
  /** The last utterance before 0x00: the last prompt named farewell-*, else the last one heard. */
  readonly goodbye?: Heard
  /** From the goodbye's first frame to 0x00. */
  readonly hangupAfterGoodbyeBeganMs?: number
  /** From the last frame of a prompt or other sound to 0x00; idle silence does not count. */
  readonly hangupAfterLastFrameMs?: number
  /** Why the connection failed or broke. */
  readonly reason?: string
}

/** Something that happened on a phone, `at` ms since it was created. */
export type Happening = { readonly at: number } & (
  | { readonly type: 'connected'; readonly id: string; readonly connection: number }
  | {
      readonly type: 'hearing'
      readonly prompt: string | undefined
      readonly text: string
      readonly aliases: readonly string[]
      readonly startedAt: number
    }
  | ({ readonly type: 'heard' } & Heard)
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'spoke'; readonly ms: number; readonly prompt: string | undefined }
  | { readonly type: 'hangup'; readonly by: 'server' | 'us' }
  | { readonly type: 'lost'; readonly reason: string }
  | { readonly type: 'violation'; readonly violation: Violation }
  | { readonly type: 'ended'; readonly outcome: Ended }
)

export type Hearing = Extract<Happening, { type: 'hearing' }>
/** A prompt's id, one of several, or a test of the event. */
export type Match<T> = string | readonly string[] | ((event: T) => boolean)

export interface Waiting {
  /** In ms; default: the phone's own timeout. */
  timeout?: number
}

interface Transcript {
  readonly happenings: readonly Happening[]
  add(happening: Happening): void
  on(listener: (happening: Happening) => void): () => void
  /**
   * The first matching event of this type after the one returned last, past or future. An id
   * means a `heard` that is complete; a test decides by itself. Rejects with PHONE_ENDED or PHONE_TIMEOUT.
   */
  next<T extends 'hearing' | 'heard'>(
    type: T,
    match: Match<Extract<Happening, { type: T }>>,
    waiting?: Waiting,
  ): Promise<Extract<Happening, { type: T }>>
}

export function createTranscript(timeoutMs = 10_000): Transcript {
  const happenings: Happening[] = []
  const listeners = new Set<(happening: Happening) => void>()
  // one cursor for all waits: events that are awaited in order are found in order, even if they happened before the await
  let cursor = 0

  return {
    happenings,
    add(happening) {
      happenings.push(happening)
      for (const listener of listeners) listener(happening)
    },
    on(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    next(type, match, { timeout = timeoutMs } = {}) {
      type Event = Extract<Happening, { type: typeof type }>
      const fits = (happening: Happening): happening is Event =>
        happening.type === type && matches(match as Match<unknown>, happening as Hearing)
      const found = happenings.findIndex((happening, index) => index >= cursor && fits(happening))
      if (found >= 0) {
        cursor = found + 1
        return Promise.resolve(happenings[found] as Event)
      }
      const { promise, resolve, reject } = Promise.withResolvers<Event>()
      const wanted = typeof match === 'function' ? type : `${type} ${[match].flat().join(' or ')}`
      const last = happenings.at(-1)
      if (last?.type === 'ended') return Promise.reject(fail('PHONE_ENDED', { by: last.outcome.by, wanted }))
      const listener = (happening: Happening) => {
        if (fits(happening)) {
          cursor = Math.max(cursor, happenings.lastIndexOf(happening) + 1)
          settle(() => resolve(happening))
        } else if (happening.type === 'ended') {
          settle(() => reject(fail('PHONE_ENDED', { by: happening.outcome.by, wanted })))
        }
      }
      const timer = setTimeout(
        () => settle(() => reject(fail('PHONE_TIMEOUT', { wanted, ms: timeout }))),
        timeout,
      )
      const settle = (how: () => void) => {
        clearTimeout(timer)
        listeners.delete(listener)
        how()
      }
      listeners.add(listener)
      return promise
    },
  }
}

function matches(match: Match<unknown>, event: Hearing | Extract<Happening, { type: 'heard' }>): boolean {
  if (typeof match === 'function') return match(event)
  if (event.type === 'heard' && !event.complete) return false
  const ids = typeof match === 'string' ? [match] : match
  return ids.some((id) => id === event.prompt || event.aliases.includes(id))
}
