import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail } from '../../errors.ts'
import { inspectProcess, isRunning } from './processes.ts'

/** Polling interval in ms for a lock that another process holds. */
const LOOK_MS = 20

/**
 * Runs `run` while holding the lock `path`; processes on one data directory start and stop its server one after
 * another. A lock whose process is gone is taken over. Throws DATABASE_LOCKED after `timeoutMs`, and the signal's reason
 * if it is aborted before the lock is there.
 */
export async function withLock<T>(
  path: string,
  timeoutMs: number,
  run: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await acquire(path, timeoutMs, signal)
  try {
    return await run()
  } finally {
    await rm(path, { force: true })
  }
}

async function acquire(path: string, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  const end = performance.now() + timeoutMs
  const draft = `${path}.${randomUUID()}`
  // linked, not written in place: a lock never exists without its owner's name in it
  await writeFile(draft, `${process.pid} ${inspectProcess(process.pid)?.startedAt ?? ''}`)
  try {
    for (;;) {
      signal?.throwIfAborted()
      try {
        await link(draft, path)
        return
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const owner = await readFile(path, 'utf8').catch(() => '')
      if (isStale(owner)) await remove(path, owner)
      else if (performance.now() > end) throw fail('DATABASE_LOCKED', { directory: dirname(path), owner })
      else await sleep(LOOK_MS)
    }
  } finally {
    await rm(draft, { force: true })
  }
}

function isStale(owner: string): boolean {
  const [, pid, startedAt] = /^(\d+) (.*)$/.exec(owner) ?? []
  return pid !== undefined && !isRunning(Number(pid), startedAt!)
}

/** Moves the file away before checking it again, because another process may have replaced it since the first check. */
export async function remove(path: string, expected: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch {
    return
  }
  if ((await readFile(aside, 'utf8')) !== expected) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
}
