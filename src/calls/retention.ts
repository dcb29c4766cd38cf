import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { deleteOlderThan } from './sql/calls.ts'

/** ms between two sweeps. */
const EVERY_MS = 60 * 60 * 1000
const DAY_MS = 24 * 60 * 60 * 1000
/** Name of a call's folder; other folders, such as a disk's lost+found, are not ours. */
const CALL_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

interface RetentionOptions {
  database: Querier
  days: number
  /** Holds a folder for each call. */
  recordings: string
  /** Delete other data older than a number of days (messages, inbound messages); resolve with the number of rows. */
  others?: readonly ((days: number) => Promise<number>)[]
  log: Logger
}

/** Deletes ended calls, their journal, their recordings and `others` after `days`, at the start and once an hour. */
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

  /** A call whose row is lost, as after a new database, leaves recordings that no row points to. */
  const sweepFolders = async () => {
    const before = Date.now() - days * DAY_MS
    let folders = 0
    // the folder does not exist before the first recording
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
