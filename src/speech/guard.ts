import { createBreaker, type Pass, throughBreaker } from '../platform/breaker.ts'
import { asPorteiroError, type ErrorCode, fail, type PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
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
export interface ProviderGuard {
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

export function createProviderGuard({
  provider,
  variable,
  concurrency,
  log,
  now,
}: GuardOptions): ProviderGuard {
  const places = createPlaces(provider, concurrency)
  const breaker = createBreaker({ limit: FAILURES, pauseMs: PAUSE_MS, ...(now && { now }) })
  let requests = 0
  let failures = 0

  const note = ({ code, message }: PorteiroError): void => {
    if (OURS.includes(code)) return
    failures++
    const facts = { provider, code, reason: message }
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
        const pass = breaker.enter()
        if (!pass) throw paused()
        requests++
        return await throughBreaker(pass, task, judge).catch((thrown) => {
          const error = asPorteiroError(thrown)
          note(error)
          throw error
        })
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

function judge(thrown: unknown): keyof Pass {
  const { code, details } = asPorteiroError(thrown)
  const isUnfit = code === 'SPEECH_REFUSED' && REQUEST_STATUSES.includes(Number(details['status']))
  return OURS.includes(code) || isUnfit ? 'unclear' : 'fails'
}
