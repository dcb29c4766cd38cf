import { asPorteiroError, type ErrorCode, fail, type PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { createBreaker } from './breaker.ts'
import { createPlaces } from './places.ts'
import type { SpeechStatus } from './provider.ts'

interface GuardOptions {
  provider: SpeechStatus['provider']
  /** The variable that chooses the provider. */
  variable: 'TTS' | 'STT'
  concurrency: number
  log: Logger
  now?: (() => number) | undefined
}

/** Limits, breaker and counts in front of a provider. */
export interface Guard {
  /**
   * Waits at most `waitMs` for a place, then runs the task. Rejects with SPEECH_OFF, _PAUSED, _BUSY or what the task
   * throws.
   */
  run<T>(task: () => Promise<T>, waitMs: number, signal: AbortSignal): Promise<T>
  readonly ready: boolean
  status(): SpeechStatus
}

/** The third failure in a row pauses the provider: after the first two the visitor can still use keys. */
const FAILURES = 3
/** Long enough to spare callers the wait, short enough to use a restarted server soon. */
const PAUSE_MS = 15_000
/** These errors say nothing about the provider's health. */
const OURS: readonly ErrorCode[] = ['SPEECH_CANCELLED', 'SPEECH_BUSY', 'SPEECH_PAUSED', 'SPEECH_OFF']
/** The request was wrong, not the provider. */
const REQUEST_STATUSES = [400, 413, 415, 422]

export function createGuard({ provider, variable, concurrency, log, now }: GuardOptions): Guard {
  const places = createPlaces(provider, concurrency)
  const breaker = createBreaker({ limit: FAILURES, pauseMs: PAUSE_MS, ...(now && { now }) })
  let requests = 0
  let failures = 0

  function judge(error: PorteiroError): void {
    const { code, details } = error
    const ours = OURS.includes(code)
    const unfit = code === 'SPEECH_REFUSED' && REQUEST_STATUSES.includes(Number(details['status']))
    if (ours || unfit) breaker.dropped()
    else breaker.failed()
    if (ours) return
    failures++
    const facts = { provider, code, reason: error.message }
    if (!breaker.ready) log.warn({ ...facts, pause_ms: PAUSE_MS }, 'the speech provider is paused')
    else log.warn(facts, 'the speech provider failed')
  }

  return {
    async run(task, waitMs, signal) {
      if (provider === 'none') throw fail('SPEECH_OFF', { variable })
      const paused = () => fail('SPEECH_PAUSED', { provider, failures: breaker.failures })
      if (!breaker.ready) throw paused()
      const leave = await places.enter(waitMs, signal)
      try {
        // it may have failed during the wait
        if (!breaker.enter()) throw paused()
        requests++
        try {
          const result = await task()
          breaker.succeeded()
          return result
        } catch (thrown) {
          const error = asPorteiroError(thrown)
          judge(error)
          throw error
        }
      } finally {
        leave()
      }
    },
    get ready() {
      return provider !== 'none' && breaker.ready
    },
    status: () => ({
      provider,
      ready: provider !== 'none' && breaker.ready,
      active: places.taken,
      waiting: places.waiting,
      requests,
      failures,
    }),
  }
}
