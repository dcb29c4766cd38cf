import { createHash } from 'node:crypto'
import type { ReceiptRow } from '../outbound/index.ts'

/** A person's message, in one form for all providers. */
export interface Said {
  /** The provider's id of the message; a digest if it has none. */
  providerId: string
  /** `other` needs no answer: a sticker, a place, a contact. */
  kind: 'text' | 'button' | 'reaction' | 'media' | 'other'
  /** E.164; null if the provider gives only its own id of the person. */
  phone: string | null
  userId: string | null
  text: string | null
  buttonId: string | null
  /** The provider's id of the quoted message. */
  quotedId: string | null
  /** By the provider's clock; null without a plausible time. */
  sentAt: Date | null
  payload: unknown
}

export type Receipt = Pick<ReceiptRow, 'providerId' | 'status' | 'at' | 'error'>

/** The content of one post of a provider. */
export interface Posted {
  messages: Said[]
  receipts: Receipt[]
  /** Number of parts that cannot be read or do not concern us: groups, echoes of our own messages, account notices. */
  ignored: number
}

/** Maximum length of a text; WhatsApp's own limit. */
const TEXT_LIMIT = 4096
/** Maximum length of a provider's id; real ones have about sixty. */
export const ID_LIMIT = 200
/** Earliest plausible time, in ms since the epoch: 2009, before WhatsApp. */
const FIRST_MESSAGE = 1_230_768_000_000
/** ms by which a provider's clock may be ahead of ours. */
const AHEAD_MS = 5 * 60 * 1000

/**
 * The text of a message within the limit. Postgres stores no NUL, and half a character only as U+FFFD. A text that loses something has
 * that sign, so that "s\0im" is not read as the word without it.
 */
export function storableText(written: string): string {
  const whole = written.slice(0, TEXT_LIMIT).toWellFormed()
  const kept = whole.replaceAll('\0', '')
  return kept === whole || kept.includes('\uFFFD') ? kept : `${kept}\uFFFD`
}

/** Reads a provider's timestamp, in seconds or ms, as number or text; null if it is not plausible. */
export function momentOf(written: unknown, now = Date.now()): Date | null {
  const number = typeof written === 'string' && /^\d{1,16}$/.test(written) ? Number(written) : written
  if (typeof number !== 'number' || !Number.isFinite(number)) return null
  const ms = number > 100_000_000_000 ? number : number * 1000
  return ms < FIRST_MESSAGE || ms > now + AHEAD_MS ? null : new Date(ms)
}

/** An id for a part without one, so that a second copy is recognised. */
export function digestOf(part: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(part)).digest('hex')}`
}
