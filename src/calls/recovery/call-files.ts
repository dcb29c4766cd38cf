import { mkdir, readdir, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf } from '../../platform/errors.ts'
import { readLines } from '../../platform/line-file.ts'
import type { Logger } from '../../platform/log.ts'
import { withTimeout } from '../../platform/time.ts'
import type { CallRow, EventRow } from '../sql/calls.ts'

/** ms for the disk to say whether a call is known; one that hangs keeps no visitor waiting. */
const LOOK_MS = 500
/** Age in ms at which a file that a killed process left says nothing any more: a PBX connects again within seconds. */
const OLD_MS = 24 * 60 * 60 * 1000
/** Age in ms at which an end that is still on the disk is brought to the database by whichever process finds it. */
const LATE_MS = 10_000

interface CallFilesOptions {
  /** DATA_DIR/calls */
  directory: string
  /** Id of this process. */
  instance: string
  log: Logger
}

/** How a call ended, as the database gets it. */
interface CallEnd {
  instance: string
  call: CallRow
  event: EventRow
}

const MOMENTS = new Set(['startedAt', 'endedAt', 'at'])

export type CallFiles = ReturnType<typeof createCallFiles>

/**
 * A file `DATA_DIR/calls/UUID` for each live call: a call whose process was killed before Postgres had its first row is not taken for a
 * new one by whoever has the same disk. It is empty until the call has ended; then it has the end, until that is in Postgres. Nothing
 * waits for these files, and nothing is synced: what a killed process has written stays.
 */
export function createCallFiles({ directory, instance, log }: CallFilesOptions) {
  /** The last work on the file of a call. */
  const working = new Map<string, Promise<void>>()
  let isFailing = false

  const inTurn = (id: string, work: () => Promise<void>): void => {
    const turn: Promise<void> = (working.get(id) ?? Promise.resolve())
      .then(work)
      .then(
        () => {
          isFailing = false
        },
        (error) => {
          if (!isFailing)
            log.warn({ call_id: id, reason: reasonOf(error) }, 'live calls cannot be noted on the disk')
          isFailing = true
        },
      )
      .finally(() => {
        if (working.get(id) === turn) working.delete(id)
      })
    working.set(id, turn)
  }

  /** Writes the file, with its directory where that is not there yet. */
  const put = async (id: string, text: string, flag: 'a' | 'w'): Promise<void> => {
    const write = () => writeFile(join(directory, id), text, { flag, mode: 0o600 })
    await write().catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await write()
    })
  }

  const names = async () => (await readdir(directory).catch(ignoreAbsence)) ?? []

  return {
    /** The call lives from now on. */
    add(id: string): void {
      inTurn(id, () => put(id, '', 'a'))
    },
    /** The call is over; `written` resolves when the database has its end. */
    end(end: Omit<CallEnd, 'instance'>, written: Promise<void>): void {
      const { id } = end.call
      inTurn(id, () => put(id, `${JSON.stringify({ instance, ...end } satisfies CallEnd)}\n`, 'w'))
      void written.then(() => this.remove(id))
    },
    /** Nothing of the call is wanted any more. */
    remove(id: string): void {
      inTurn(id, () => unlink(join(directory, id)).catch(ignoreAbsence))
    },
    /** Whether a process of this disk has, or had when it was killed, this call, or has ended it. Never rejects. */
    async find(id: string): Promise<'live' | 'ended' | undefined> {
      const found = stat(join(directory, id)).then(
        ({ size }) => (size > 0 ? ('ended' as const) : ('live' as const)),
        () => undefined,
      )
      return withTimeout(LOOK_MS, found)
    },
    /** Ends that their own processes have not brought to the database in time. */
    async ends(): Promise<CallEnd[]> {
      const before = Date.now() - LATE_MS
      const found: CallEnd[] = []
      for (const name of await names()) {
        const path = join(directory, name)
        const { size = 0, mtimeMs = 0 } = (await stat(path).catch(ignoreAbsence)) ?? {}
        if (size === 0 || mtimeMs >= before) continue
        const [end] = (await readLines<CallEnd>(path, MOMENTS)) ?? []
        if (end) found.push(end)
      }
      return found
    },
    /** Deletes what killed processes left long ago; resolves with the number of files. */
    async sweep(): Promise<number> {
      const before = Date.now() - OLD_MS
      let count = 0
      for (const name of await names()) {
        const path = join(directory, name)
        const found = await stat(path).catch(ignoreAbsence)
        if (!found || found.mtimeMs >= before) continue
        await unlink(path).catch(ignoreAbsence)
        count++
      }
      return count
    },
    async settled(): Promise<void> {
      await Promise.all(working.values())
    },
  }
}

function ignoreAbsence(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}
