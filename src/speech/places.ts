import { fail } from '../platform/errors.ts'
import { endingOf } from './time-limit.ts'

interface Places {
  /**
   * Resolves with the function that releases the place. Rejects with SPEECH_BUSY after `waitMs` or when too many wait
   * already, and with the reason of the signal.
   */
  enter(waitMs: number, signal: AbortSignal): Promise<() => void>
  readonly taken: number
  readonly waiting: number
}

/** Maximum number of waiting requests per place: a longer queue would be served too late. */
const WAITING_PER_PLACE = 4

/** Limits concurrent requests to one provider; the others wait in turn for a limited time. */
export function createPlaces(provider: string, max: number): Places {
  const queue = new Set<() => void>()
  let taken = 0

  function place(): () => void {
    taken++
    let left = false
    return () => {
      if (left) return
      left = true
      taken--
      const [next] = queue
      next?.()
    }
  }

  return {
    enter(waitMs, signal) {
      if (signal.aborted) return Promise.reject(endingOf(signal))
      if (taken < max) return Promise.resolve(place())
      if (queue.size >= max * WAITING_PER_PLACE) return Promise.reject(fail('SPEECH_BUSY', { provider, max }))
      return new Promise((resolve, reject) => {
        const settle = (act: () => void) => () => {
          queue.delete(admit)
          clearTimeout(timer)
          signal.removeEventListener('abort', cancel)
          act()
        }
        const admit = settle(() => resolve(place()))
        const cancel = settle(() => reject(endingOf(signal)))
        const timer = setTimeout(
          settle(() => reject(fail('SPEECH_BUSY', { provider, max }))),
          waitMs,
        )
        signal.addEventListener('abort', cancel, { once: true })
        queue.add(admit)
      })
    },
    get taken() {
      return taken
    },
    get waiting() {
      return queue.size
    },
  }
}
