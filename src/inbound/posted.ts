import { createHash } from 'node:crypto'
import type { ReceiptRow } from '../outbound/index.ts'

/** What a message of a person says, whichever provider brought it. */
export interface Said {
  /** The provider's id of the message; a digest of it where it has none. */
  providerId: string
  /** `other` is what nobody can answer: a sticker, a place, a contact. */
  kind: 'text' | 'button' | 'reaction' | 'media' | 'other'
  /** E.164; null where the provider tells only its own id of the person. */
  phone: string | null
  userId: string | null
  text: string | null
  buttonId: string | null
  /** The provider's id of the message that this one answers. */
  quotedId: string | null
  /** By the provider's clock; null where it tells none that can be. */
  sentAt: Date | null
  payload: unknown
}

export type Receipt = Pick<ReceiptRow, 'providerId' | 'status' | 'at' | 'error'>

/** Everything that one post of a provider holds for us. */
export interface Posted {
  messages: Said[]
  receipts: Receipt[]
  /** Parts that could not be read, or are none of our business: groups, echoes of our own, notices of the account. */
  ignored: number
}

/** Characters of a text that are kept; WhatsApp itself allows 4096. */
export const TEXT_LIMIT = 4096
/** Characters of an id of a provider; theirs have some sixty. */
export const ID_LIMIT = 200
/** Nothing of a messenger is older than this, in ms since the epoch: 2009. */
const FIRST_MESSAGE = 1_230_768_000_000
/** ms that a provider's clock may be ahead of ours. */
const AHEAD_MS = 5 * 60 * 1000

/** A provider's timestamp, in seconds or ms, as number or text; null for what cannot be one. */
export function momentOf(written: unknown, now = Date.now()): Date | null {
  const number = typeof written === 'string' && /^\d{1,16}$/.test(written) ? Number(written) : written
  if (typeof number !== 'number' || !Number.isFinite(number)) return null
  const ms = number > 100_000_000_000 ? number : number * 1000
  return ms < FIRST_MESSAGE || ms > now + AHEAD_MS ? null : new Date(ms)
}

/** An id for what came without one, so that a second copy of it is still known. */
export function digestOf(part: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(part)).digest('hex')}`
}
