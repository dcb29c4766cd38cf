import { mkdir, open, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import { withTimeout } from '../../platform/time.ts'

/** ms for the disk to say whether a call is known; one that hangs keeps no visitor waiting. */
const LOOK_MS = 500
/** Age in ms at which a file that a killed process left says nothing any more: a PBX connects again within seconds. */
const OLD_MS = 24 * 60 * 60 * 1000

interface CallFilesOptions {
  /** DATA_DIR/calls */
  directory: string
  log: Logger
}

export type CallFiles = ReturnType<typeof createCallFiles>

/**
 * An empty file `DATA_DIR/calls/UUID` for each live call: a call whose process was killed before Postgres had its first row is not
 * taken for a new one by whoever has the same disk. Nothing waits for them, and nothing is synced: what a killed process has written
 * stays.
 */
export function createCallFiles({ directory, log }: CallFilesOptions) {
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

  const create = async (path: string): Promise<void> => {
    const handle = await open(path, 'a', 0o600)
    await handle.close()
  }

  return {
    /** The call lives from now on. */
    add(id: string): void {
      const path = join(directory, id)
      inTurn(id, () =>
        create(path).catch(async (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error
          await mkdir(directory, { recursive: true, mode: 0o700 })
          await create(path)
        }),
      )
    },
    /** The call is over. */
    remove(id: string): void {
      inTurn(id, () => unlink(join(directory, id)).catch(ignoreAbsence))
    },
    /** Whether a process of this disk has, or had when it was killed, this call. Never rejects. */
    async has(id: string): Promise<boolean> {
      const found = stat(join(directory, id)).then(
        () => true,
        () => false,
      )
      return (await withTimeout(LOOK_MS, found)) ?? false
    },
    /** Deletes what killed processes left long ago; resolves with the number of files. */
    async sweep(): Promise<number> {
      const names = (await readdir(directory).catch(ignoreAbsence)) ?? []
      const before = Date.now() - OLD_MS
      let count = 0
      for (const name of names) {
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
