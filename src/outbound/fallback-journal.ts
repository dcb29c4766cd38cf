import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fail, reasonOf } from '../platform/errors.ts'
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

/**
 * Lines of JSON in `<directory>/*.jsonl`, synced before a message leaves. A file is open while its messages are under
 * way; then it becomes `*.closed.jsonl`, which any process may reconcile. The same holds for the file of a process that
 * died.
 */
export function createFallbackJournal(directory: string) {
  let file: Promise<FileHandle> | undefined
  let path = ''
  let underWay = 0
  let turn: Promise<unknown> = Promise.resolve()

  const openFile = async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    path = join(directory, `${randomUUID()}.jsonl`)
    return open(path, 'a', 0o600)
  }

  /** Writes one line at a time; resolves when it is synced. */
  const write = (entry: Entry): Promise<void> => {
    const next = turn.then(async () => {
      try {
        file ??= openFile()
        const handle = await file
        await handle.appendFile(`${JSON.stringify(entry)}\n`)
        await handle.sync()
      } catch (error) {
        const broken = file
        file = undefined
        await broken?.then((handle) => handle.close()).catch(() => {})
        throw fail('FALLBACK_UNWRITABLE', { reason: reasonOf(error) }, error)
      }
    })
    turn = next.catch(() => {})
    return next
  }

  const closeFile = () => {
    turn = turn.then(async () => {
      if (underWay > 0 || !file) return
      const handle = await file
      file = undefined
      await handle.close()
      await rename(path, path.replace(/\.jsonl$/, '.closed.jsonl'))
    })
    return turn
  }

  return {
    /** Writes the message, does the work, and writes its result. */
    async during(message: FreshMessage, work: () => Promise<Entry>): Promise<Entry> {
      underWay++
      try {
        await write({ kind: 'message', message })
        const entry = await work()
        // the message has left, even if this write fails
        await write(entry).catch(() => {})
        return entry
      } finally {
        underWay--
        if (underWay === 0) await closeFile().catch(() => {})
      }
    },
    /** Files that no process writes to any more. */
    async closed(): Promise<string[]> {
      const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return []
        throw error
      })
      const found: string[] = []
      for (const name of names.sort()) {
        if (!name.endsWith('.jsonl')) continue
        const file = join(directory, name)
        if (name.endsWith('.closed.jsonl')) found.push(file)
        else if (file !== path) {
          const { mtimeMs } = await stat(file)
          if (Date.now() - mtimeMs > ORPHANED_MS) found.push(file)
        }
      }
      return found
    },
    close: closeFile,
  }
}

/** The entries of a file, without a last line that a power failure cut. */
export async function readJournal(file: string): Promise<Entry[]> {
  const lines = (await readFile(file, 'utf8')).split('\n')
  return lines.flatMap((line) => {
    if (line === '') return []
    try {
      return [JSON.parse(line, reviveDates) as Entry]
    } catch {
      return []
    }
  })
}

export const removeJournal = (file: string) => unlink(file)

function reviveDates(key: string, value: unknown): unknown {
  return (key === 'createdAt' || key === 'expiresAt') && typeof value === 'string' ? new Date(value) : value
}
