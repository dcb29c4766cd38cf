import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { asPorteiroError, fail, type PorteiroError, reasonOf } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { delay } from '../../time.ts'
import { lives } from './postmaster.ts'

/** ms between two looks at the server: another process may have started it, and nobody announces its death. */
const LOOK_MS = 1000
/** ms before a start that follows a failed one: 1 s, 2 s, 4 s, and so on. */
const BACKOFF_MS = { first: 1000, most: 30_000 }

export interface Deaths {
  count: number
  last: Date | undefined
}

interface WatchOptions {
  cluster: string
  pid: number
  /** Starts the server again, or joins one that another process has started; resolves with its process id. The signal ends the wait for another process. */
  again: (signal: AbortSignal) => Promise<number>
  log: Logger
}

/** Starts a server again that has died, for as long as its directory is there. */
export function watchServer({ cluster, pid: first, again, log }: WatchOptions) {
  const ending = new AbortController()
  const failed = Promise.withResolvers<PorteiroError>()
  const deaths: Deaths = { count: 0, last: undefined }
  let pid = first

  /** Only a directory that is certainly not there: a disk may fail to answer for a moment. */
  const isGone = () =>
    stat(join(cluster, 'PG_VERSION')).then(
      () => false,
      ({ code }: NodeJS.ErrnoException) => code === 'ENOENT' || code === 'ENOTDIR',
    )

  const revive = async () => {
    let waitMs = BACKOFF_MS.first
    while (!ending.signal.aborted && !(await isGone())) {
      try {
        pid = await again(ending.signal)
        log.warn({ pid, deaths: deaths.count }, 'the embedded Postgres runs again')
        return
      } catch (error) {
        if (ending.signal.aborted) return
        const facts = { code: asPorteiroError(error).code, reason: reasonOf(error), retry_ms: waitMs }
        log.error(facts, 'the embedded Postgres does not start again')
        await delay(waitMs, ending.signal)
        waitMs = Math.min(2 * waitMs, BACKOFF_MS.most)
      }
    }
  }

  const work = async () => {
    for (;;) {
      await delay(LOOK_MS, ending.signal)
      if (ending.signal.aborted) return
      if (await isGone()) {
        const error = fail('DATABASE_UNREACHABLE', { reason: `its directory is gone: ${cluster}` })
        return failed.resolve(error)
      }
      if (await lives(pid, cluster)) continue
      deaths.count++
      deaths.last = new Date()
      log.error({ pid, deaths: deaths.count }, 'the embedded Postgres died: it is started again')
      await revive()
    }
  }
  const working = work().catch((error) =>
    log.error({ code: 'BUG', err: error }, 'the embedded Postgres is not watched'),
  )

  return {
    deaths: () => ({ ...deaths }),
    failed: failed.promise,
    /** Resolves with the process id of the present server. */
    async stop(): Promise<number> {
      ending.abort()
      await working
      return pid
    },
  }
}
