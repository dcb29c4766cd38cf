import { endingOf } from './time-limit.ts'

/** Shares work between equal concurrent requests. */
interface Shared<T> {
  /** Starts the work of this name, or joins it. It is aborted when the last waiting caller has left. */
  join(name: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Resolves when no work is in progress. */
  idle(): Promise<void>
}

export function createShared<T>(): Shared<T> {
  const running = new Map<string, { result: Promise<T>; ending: AbortController; waiting: number }>()
  const all = new Set<Promise<T>>()

  function start(name: string, work: (signal: AbortSignal) => Promise<T>) {
    const ending = new AbortController()
    const result = work(ending.signal).finally(() => {
      all.delete(result)
      if (running.get(name) === job) running.delete(name)
    })
    all.add(result)
    // callers that left ignore its result
    result.catch(() => {})
    const job = { result, ending, waiting: 0 }
    running.set(name, job)
    return job
  }

  return {
    join(name, signal, work) {
      if (signal.aborted) return Promise.reject(endingOf(signal))
      const job = running.get(name) ?? start(name, work)
      job.waiting++
      return new Promise((resolve, reject) => {
        const leave = () => {
          signal.removeEventListener('abort', cancel)
          job.waiting--
        }
        const cancel = () => {
          leave()
          if (job.waiting === 0) {
            // new callers must not join work that is being aborted
            if (running.get(name) === job) running.delete(name)
            job.ending.abort(signal.reason)
          }
          reject(endingOf(signal))
        }
        signal.addEventListener('abort', cancel, { once: true })
        job.result.then(resolve, reject).finally(leave)
      })
    },
    async idle() {
      while (all.size > 0) await Promise.allSettled(all)
    },
  }
}
