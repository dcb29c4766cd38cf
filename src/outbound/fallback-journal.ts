import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createLineFile, LINES, lineFilesIn, moveFile, readLines } from '../platform/line-file.ts'
import type { FreshMessage } from './sql/messages.ts'

/** ms after which an open file is orphaned: no attempt lasts so long. */
const ORPHANED_MS = 5 * 60_000

/** One line of the journal. */
export type Entry =
  | { kind: 'message'; message: FreshMessage }
  /** It was not sent: it waits for the queue. */
  | { kind: 'held'; id: string; at: string }
  | { kind: 'sent'; id: string; at: string; providerId?: string | undefined; status?: number | undefined }
  | {
      kind: 'refused'
      id: string
      at: string
      code: string
      reason: string
      /** Absent in the files of older versions. */
      details?: Record<string, unknown> | undefined
      status?: number | undefined
      final: boolean
    }

/** Ends the names of files that no process writes to any more. */
const CLOSED = `.closed${LINES}`

const MOMENTS = new Set(['createdAt', 'expiresAt'])

/**
 * Lines in `<directory>/*.jsonl`, written before a message leaves. A file is open while its messages are under way; then it
 * becomes `*.closed.jsonl`, which any process may reconcile. The same holds for the file of a process that died.
 */
export function createFallbackJournal(directory: string) {
  const file = createLineFile<Entry>(directory, () => randomUUID() + LINES)
  let underWay = 0

  const close = () =>
    file.close(
      async (path) => {
        await moveFile(path, path.slice(0, -LINES.length) + CLOSED)
      },
      () => underWay === 0,
    )

  return {
    /** Writes the message, does the work, and writes its result. */
    async during(message: FreshMessage, work: () => Promise<Entry>): Promise<Entry> {
      underWay++
      try {
        await file.append({ kind: 'message', message })
        const entry = await work()
        // the message has left, even if this write fails
        await file.append(entry).catch(() => {})
        return entry
      } finally {
        underWay--
        if (underWay === 0) await close().catch(() => {})
      }
    },
    /** Files that no process writes to any more. */
    async closed(): Promise<string[]> {
      const found: string[] = []
      for (const name of await lineFilesIn(directory)) {
        const path = join(directory, name)
        if (name.endsWith(CLOSED)) found.push(path)
        else if (!file.isOwn(name)) {
          // it is gone if another process has reconciled it meanwhile
          const written = await stat(path).catch(() => undefined)
          if (written && Date.now() - written.mtimeMs > ORPHANED_MS) found.push(path)
        }
      }
      return found
    },
    close,
  }
}

export const readJournal = async (path: string): Promise<Entry[]> =>
  (await readLines<Entry>(path, MOMENTS)) ?? []
