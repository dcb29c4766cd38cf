import { fail, PorteiroError } from '../platform/errors.ts'

/** The reason of an aborted signal: its coded error, else SPEECH_CANCELLED. */
export function endingOf(signal: AbortSignal): PorteiroError {
  const reason: unknown = signal.reason
  return reason instanceof PorteiroError ? reason : fail('SPEECH_CANCELLED', {}, reason)
}

/** Runs `task` with a signal that also aborts after `ms`, with SPEECH_TIMEOUT. */
export async function within<T>(
  ms: number,
  provider: string,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController()
  const cancel = () => ending.abort(signal.reason)
  const timer = setTimeout(() => ending.abort(fail('SPEECH_TIMEOUT', { provider, ms })), ms)
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  try {
    return await task(ending.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', cancel)
  }
}
