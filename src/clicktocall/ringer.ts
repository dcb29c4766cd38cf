import { asPorteiroError, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { createRecent } from '../platform/lru.ts'
import { type Ari, isAway } from './ari.ts'
import type { ClickToCall } from './message.ts'

/** Ids that are remembered; a gatehouse rings a few thousand times a day. */
const REMEMBERED = 10_000

interface RingerOptions {
  ari: Pick<Ari, 'originate' | 'hangUp'>
  /** How long a telephone rings. */
  ringMs: number
  /** Age at which nobody waits for a message any more. */
  staleMs: number
  /** Tries while Asterisk is away. */
  attempts: number
  log: Logger
}

/** What shall become of a message: it is done, it is to come again, or it goes to the dead letters. */
export type MessageFate =
  | { what: 'done' }
  | { what: 'again' }
  | { what: 'dead'; error: ReturnType<typeof fail> }

/** Has Asterisk ring what messages ask for: each attempt once, however often its message comes. */
export function createRinger({ ari, ringMs, staleMs, attempts, log }: RingerOptions) {
  // when the message was sent, or for ever: without ids of their own the attempts of a call are told apart by that alone
  const rung = createRecent<number>(REMEMBERED)
  const cancelled = createRecent<number>(REMEMBERED)
  const ringing = new Map<string, Promise<MessageFate>>()
  const misses = new Map<string, number>()

  const ring = async (message: ClickToCall): Promise<MessageFate> => {
    const { callId, attemptId, number, audiosocket, sentAt, ownId } = message
    const facts = { call_id: callId, message_id: attemptId }
    const stopped = cancelled.get(attemptId)
    const before = rung.get(attemptId)
    // what was stopped is over: what was sent after that is another attempt
    if (before !== undefined && !(stopped !== undefined && before <= stopped && stopped < sentAt)) {
      log.info(facts, 'this attempt has been rung already')
      return { what: 'done' }
    }
    if (stopped !== undefined && sentAt <= stopped) {
      log.info(facts, 'this attempt was cancelled before it rang')
      return { what: 'done' }
    }
    const age = Date.now() - sentAt
    if (age > staleMs)
      return { what: 'dead', error: fail('MESSAGE_STALE', { seconds: Math.round(age / 1000) }) }
    try {
      const fresh = await ari.originate({ channelId: attemptId, callId, number, ringMs, audiosocket })
      if (ownId) rung.add(attemptId, Infinity)
      else rung.add(attemptId, sentAt, ringMs)
      misses.delete(attemptId)
      log.info({ ...facts, fresh }, 'Asterisk rings')
      return { what: 'done' }
    } catch (thrown) {
      const error = asPorteiroError(thrown)
      const missed = (misses.get(attemptId) ?? 0) + 1
      const again = isAway(error) && missed < attempts
      if (again) misses.set(attemptId, missed)
      else misses.delete(attemptId)
      log.warn({ ...facts, code: error.code, missed, again }, error.message)
      return again ? { what: 'again' } : { what: 'dead', error }
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
    /** Stops the ringing, also of what has not begun to ring. */
    async cancel({ callId, attemptId, ownId, sentAt }: ClickToCall): Promise<MessageFate> {
      cancelled.add(attemptId, ownId ? Infinity : sentAt)
      await ringing.get(attemptId)
      try {
        await ari.hangUp(attemptId)
        log.info({ call_id: callId, message_id: attemptId }, 'the ringing was stopped')
      } catch (error) {
        // it rings out by itself; a cancel that is kept would come too late
        const { code, message } = asPorteiroError(error)
        log.warn({ call_id: callId, message_id: attemptId, code }, message)
      }
      return { what: 'done' }
    },
  }
}
