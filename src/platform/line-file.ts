import { type FileHandle, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fail, reasonOf } from './errors.ts'

/** What such files end with. */
export const LINES = '.jsonl'

/**
 * Lines of JSON in one file of the directory at a time, each synced before anybody acts on it. The first line opens the file, under
 * the name that `nameOf` returns. Another process may take the file away: the next line then goes to a new one.
 */
export function createLineFile<Line>(directory: string, nameOf: () => string) {
  let file: Promise<FileHandle> | undefined
  let path = ''
  let turn: Promise<unknown> = Promise.resolve()

  const openFile = async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    path = join(directory, nameOf())
    const handle = await open(path, 'a', 0o600)
    // the name must survive a loss of power too
    const folder = await open(directory, 'r')
    await folder.sync().finally(() => folder.close())
    return handle
  }

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const next = turn.then(work)
    turn = next.catch(() => {})
    return next
  }

  return {
    /** Resolves when the line is synced. Rejects with FALLBACK_UNWRITABLE. */
    append: (line: Line): Promise<void> =>
      inTurn(async () => {
        try {
          const text = `${JSON.stringify(line)}\n`
          for (;;) {
            file ??= openFile()
            const handle = await file
            await handle.appendFile(text)
            await handle.sync()
            if (await isAt(path, handle)) return
            file = undefined
            await handle.close()
          }
        } catch (error) {
          const broken = file
          file = undefined
          await broken?.then((handle) => handle.close()).catch(() => {})
          throw fail('FALLBACK_UNWRITABLE', { reason: reasonOf(error) }, error)
        }
      }),
    /** Whether this process writes to the file of that name, or did so last. */
    isOwn: (name: string): boolean => name === basename(path),
    /** Closes the file once its lines are written. `finish` gets its path, unless another process has taken it. */
    close: (finish?: (path: string) => Promise<void>, isOver = () => true): Promise<void> =>
      inTurn(async () => {
        if (!file || !isOver()) return
        const handle = await file
        file = undefined
        const isOurs = finish && (await isAt(path, handle))
        await handle.close()
        if (isOurs) await finish(path)
      }),
  }
}

/** Names of the files of lines in a directory, sorted; none if it is not there. */
export async function lineFilesIn(directory: string): Promise<string[]> {
  const names = await unlessGone(readdir(directory))
  return (names ?? []).filter((name) => name.endsWith(LINES)).sort()
}

/**
 * The lines of a file, without one that a loss of power cut; undefined if another process has moved or removed it. Keys in `moments`
 * are dates.
 */
export async function readLines<Line>(
  path: string,
  moments: ReadonlySet<string>,
): Promise<Line[] | undefined> {
  const text = await unlessGone(readFile(path, 'utf8'))
  return text?.split('\n').flatMap((line) => {
    try {
      return [
        JSON.parse(line, (key, value) =>
          moments.has(key) && typeof value === 'string' ? new Date(value) : value,
        ) as Line,
      ]
    } catch {
      return []
    }
  })
}

/** False if another process has moved or removed it. */
export async function moveFile(path: string, to: string): Promise<boolean> {
  return (await unlessGone(rename(path, to).then(() => true))) ?? false
}

export async function removeFile(path: string): Promise<void> {
  await unlessGone(unlink(path))
}

async function isAt(path: string, handle: FileHandle): Promise<boolean> {
  const [there, here] = await Promise.all([stat(path).catch(() => undefined), handle.stat()])
  return there?.ino === here.ino
}

/** Undefined if there is no such file: several processes may handle the file of one that died. */
function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
