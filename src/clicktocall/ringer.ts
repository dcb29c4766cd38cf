import { createCache } from '../platform/cache.ts'
import { asPorteiroError, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { type Ari, isAway } from './ari.ts'
import { type ClickToCall, staleAfter } from './message.ts'
import type { Results } from './results.ts'

/** Number of remembered ids; a gatehouse makes a few thousand calls a day. */
const REMEMBERED = 10_000

interface RingerOptions {
  ari: Pick<Ari, 'originate' | 'hangUp'>
  /** How long a telephone rings if its message does not say so. */
  ringMs: number
  results: Results | undefined
  /** Maximum number of attempts while Asterisk is away. */
  attempts: number
  log: Logger
}

/** What the consumer does with a message: acknowledge, requeue, or move to the dead letters. */
export type MessageFate =
  | { what: 'done' }
  | { what: 'again' }
  | { what: 'dead'; error: ReturnType<typeof fail> }

/** Places calls through ARI: each attempt once, however often its message is delivered. */
export function createRinger({ ari, ringMs: usualMs, results, attempts, log }: RingerOptions) {
  // by attempt: when its message was sent. Only this distinguishes attempts of a call without a messageId
  const called = createCache<number>(REMEMBERED)
  const cancelled = createCache<number>(REMEMBERED)
  const ringing = new Map<string, Promise<MessageFate>>()
  const misses = new Map<string, number>()

  const ring = async (message: ClickToCall): Promise<MessageFate> => {
    const { callId, attemptId, legId, number, audiosocket, sentAt, ownId, ringMs = usualMs } = message
    const facts = { call_id: callId, message_id: attemptId }
    const stopped = cancelled.get(attemptId)
    const before = called.get(attemptId)
    // a message sent after a cancel is another attempt
    if (before !== undefined && !(stopped !== undefined && before <= stopped && stopped < sentAt)) {
      log.info(facts, 'this attempt has already been placed')
      return { what: 'done' }
    }
    if (stopped !== undefined && sentAt <= stopped) {
      log.info(facts, 'this attempt was cancelled before it rang')
      return { what: 'done' }
    }
    const age = Date.now() - sentAt
    if (age > staleAfter(ringMs))
      return { what: 'dead', error: fail('MESSAGE_STALE', { seconds: Math.round(age / 1000) }) }
    try {
      results?.expect(message)
      const fresh = await ari.originate({ channelId: attemptId, legId, number, ringMs, audiosocket })
      if (ownId) called.set(attemptId, Infinity)
      else called.set(attemptId, sentAt, ringMs)
      misses.delete(attemptId)
      log.info({ ...facts, fresh }, 'Asterisk is ringing the telephone')
      return { what: 'done' }
    } catch (thrown) {
      const error = asPorteiroError(thrown)
      const missed = (misses.get(attemptId) ?? 0) + 1
      const again = isAway(error) && missed < attempts
      if (again) misses.set(attemptId, missed)
      else misses.delete(attemptId)
      log.warn({ ...facts, code: error.code, missed, again }, error.message)
      if (again) return { what: 'again' }
      results?.report(attemptId, 'failed')
      return { what: 'dead', error }
    }
  }

  return {
    /** Never rejects. */
    async ring(message: ClickToCall): Promise<MessageFate> {
      const { attemptId } = message
      const same = ringing.get(attemptId)
      if (same) return same
      const work = ring(message).finally(() => ringing.delete(attemptId))
      ringing.set(attemptId, work)
      return work
    },
    /** Stops the ringing, also of an attempt that has not started. */
    async cancel({ callId, attemptId, ownId, sentAt, why }: ClickToCall): Promise<MessageFate> {
      cancelled.set(attemptId, ownId ? Infinity : sentAt)
      await ringing.get(attemptId)
      try {
        await ari.hangUp(attemptId, why)
        log.info({ call_id: callId, message_id: attemptId }, 'the ringing was cancelled')
      } catch (error) {
        // the ringing ends after its ring time; a requeued cancel would come too late
        const { code, message } = asPorteiroError(error)
        log.warn({ call_id: callId, message_id: attemptId, code }, message)
      }
      return { what: 'done' }
    },
  }
}
