import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { deleteOlderThan } from './sql/calls.ts'

/** ms between two sweeps. */
const EVERY_MS = 60 * 60 * 1000
const DAY_MS = 24 * 60 * 60 * 1000
/** What a call's folder is called; anything else in there, such as a disk's lost+found, is not ours. */
const CALL_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

interface RetentionOptions {
  database: Querier
  days: number
  /** Holds a folder for each call. */
  recordings: string
  /** Delete what else is older than so many days, and resolve with how much that was: messages, what came in. */
  others?: readonly ((days: number) => Promise<number>)[]
  log: Logger
}

/** Deletes ended calls, their journal, all recordings and what else there is after so many days: at the start and once an hour. */
export function startRetention({ database, days, recordings, others = [], log }: RetentionOptions) {
  let sweeping: Promise<void> | undefined
  let stopped = false

  const sweep = async () => {
    let calls = 0
    while (!stopped) {
      const ids = await deleteOlderThan(database, days)
      if (ids.length === 0) break
      for (const id of ids) await rm(join(recordings, id), { recursive: true, force: true })
      calls += ids.length
    }
    if (calls > 0) log.info({ calls, days }, 'old calls were deleted')
    const folders = await sweepFolders()
    if (folders > 0) log.info({ folders, days }, 'old recordings without a call were deleted')
    let rows = 0
    for (const other of others) if (!stopped) rows += await other(days)
    if (rows > 0) log.info({ rows, days }, 'old messages were deleted')
  }

  /** A call whose row was lost, as with a database that was set up anew, leaves voices that no row leads to. */
  const sweepFolders = async () => {
    const before = Date.now() - days * DAY_MS
    let folders = 0
    // there is none before the first recording
    const names = await readdir(recordings).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    for (const name of names) {
      if (stopped) break
      if (!CALL_ID.test(name)) continue
      const folder = join(recordings, name)
      const { mtimeMs } = await stat(folder)
      if (mtimeMs >= before) continue
      await rm(folder, { recursive: true, force: true })
      folders++
    }
    return folders
  }

  const begin = () => {
    sweeping ??= sweep()
      .catch((error) => log.warn({ reason: reasonOf(error) }, 'old calls could not be deleted'))
      .finally(() => {
        sweeping = undefined
      })
  }

  begin()
  const timer = setInterval(begin, EVERY_MS)
  return {
    async stop() {
      stopped = true
      clearInterval(timer)
      await sweeping
    },
  }
}
