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

/** ms after which a new file begins, so that no stream of messages keeps one open. */
const FILE_MS = 5000

/**
 * Lines in `<directory>/*.jsonl`, written before a message leaves. A file is open while its messages are under way, and takes new ones for
 * `fileMs`; then it becomes `*.closed.jsonl`, which any process may reconcile. The same holds for the file of a process that died.
 */
export function createFallbackJournal(directory: string, fileMs = FILE_MS) {
  const makeFile = () => ({
    lines: createLineFile<Entry>(directory, () => randomUUID() + LINES),
    since: performance.now(),
    underWay: 0,
  })
  /** Files with messages under way; new messages go to the newest. */
  const open = new Set<ReturnType<typeof makeFile>>()
  let newest: ReturnType<typeof makeFile> | undefined

  const newestFile = () => {
    if (!newest || performance.now() - newest.since >= fileMs) {
      newest = makeFile()
      open.add(newest)
    }
    return newest
  }

  const close = async (file: ReturnType<typeof makeFile>) => {
    if (newest === file) newest = undefined
    await file.lines
      .close(async (path) => {
        await moveFile(path, path.slice(0, -LINES.length) + CLOSED)
      })
      .finally(() => open.delete(file))
  }

  return {
    /** Writes the message, does the work, and writes its result. */
    async during(message: FreshMessage, work: () => Promise<Entry>): Promise<Entry> {
      const file = newestFile()
      file.underWay++
      try {
        await file.lines.append({ kind: 'message', message })
        const entry = await work()
        // the message has left, even if this write fails
        await file.lines.append(entry).catch(() => {})
        return entry
      } finally {
        file.underWay--
        if (file.underWay === 0) await close(file).catch(() => {})
      }
    },
    /** Files that no process writes to any more. */
    async closed(): Promise<string[]> {
      const found: string[] = []
      for (const name of await lineFilesIn(directory)) {
        const path = join(directory, name)
        if (name.endsWith(CLOSED)) found.push(path)
        else if (![...open].some(({ lines }) => lines.isOwn(name))) {
          // it is gone if another process has reconciled it meanwhile
          const written = await stat(path).catch(() => undefined)
          if (written && Date.now() - written.mtimeMs > ORPHANED_MS) found.push(path)
        }
      }
      return found
    },
    /** Files whose messages are still under way stay as they are. */
    async close(): Promise<void> {
      await Promise.all([...open].filter(({ underWay }) => underWay === 0).map(close))
    },
  }
}

export const readJournal = async (path: string): Promise<Entry[]> =>
  (await readLines<Entry>(path, MOMENTS)) ?? []
