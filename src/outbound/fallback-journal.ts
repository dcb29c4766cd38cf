import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fail, reasonOf } from '../platform/errors.ts'
import type { FreshMessage } from './sql/messages.ts'

/** ms after which an open file is nobody's: no try lasts so long. */
const ORPHANED_MS = 5 * 60_000

/** What happened while Postgres was away. */
export type Entry =
  | { kind: 'message'; message: FreshMessage }
  | { kind: 'sent'; id: string; at: string; providerId?: string | undefined; status?: number | undefined }
  | {
      kind: 'refused'
      id: string
      at: string
      code: string
      reason: string
      status?: number | undefined
      final: boolean
    }

/**
 * Lines of JSON in `<directory>/*.jsonl`, on the disk before anything leaves. A file is open while messages of it are under
 * way; then it becomes `*.closed.jsonl`, which any process may reconcile, as it may one whose process died.
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

  /** One after the other: a line is whole, and on the disk when this resolves. */
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
    /** Notes the message, does the work, and notes what came of it. */
    async during(message: FreshMessage, work: () => Promise<Entry>): Promise<Entry> {
      underWay++
      try {
        await write({ kind: 'message', message })
        const entry = await work()
        // it has happened, whatever the disk says now
        await write(entry).catch(() => {})
        return entry
      } finally {
        underWay--
        if (underWay === 0) await closeFile().catch(() => {})
      }
    },
    /** Files that nobody writes to any more. */
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

/** The entries of a file; a last line that was cut by a power failure had not happened yet. */
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
