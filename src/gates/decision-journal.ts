import { type FileHandle, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { DecidedCall } from '../calls/index.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { GateCommand, GateCommandRow } from './sql/gates.ts'

/** What was decided: about a call, or by hand (no `call`). All that follows is derived from it, so it may be acted on again. */
export interface Fact {
  call?: DecidedCall | undefined
  /** Absent where nothing opens. */
  command?: GateCommand | undefined
}

/** What became of a command while the database was away. */
export interface Told {
  status: Extract<GateCommandRow['status'], 'sent' | 'acknowledged'>
}

/** Ends the names of files that another process takes over. */
const TAKEN = '.taken.jsonl'

type Line = { kind: 'fact'; fact: Fact } | ({ kind: 'told'; command: string } & Told)

interface StoredFact {
  fact: Fact
  told: Told | undefined
}

/**
 * Decisions on the disk while the database is away or slow: lines of JSON in `<directory>/*.jsonl`, each synced before anybody
 * acts on it. A process has one file, named by its instance, and deletes it once the database has all of it.
 */
export function createDecisionJournal(directory: string, instance: string) {
  const name = `${instance}.jsonl`
  const path = join(directory, name)
  let file: Promise<FileHandle> | undefined
  let turn: Promise<unknown> = Promise.resolve()

  const openFile = async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const handle = await open(path, 'a', 0o600)
    // the name must survive a loss of power too
    const folder = await open(directory, 'r')
    await folder.sync().finally(() => folder.close())
    return handle
  }

  return {
    /** Resolves when the line is synced. Rejects with FALLBACK_UNWRITABLE. */
    append(line: Line): Promise<void> {
      const next = turn.then(async () => {
        try {
          const text = `${JSON.stringify(line)}\n`
          for (;;) {
            file ??= openFile()
            const handle = await file
            await handle.appendFile(text)
            await handle.sync()
            if (await isAt(path, handle)) return
            // another process took this one for dead, and the file with it
            file = undefined
            await handle.close()
          }
        } catch (error) {
          const broken = file
          file = undefined
          await broken?.then((handle) => handle.close()).catch(() => {})
          throw fail('FALLBACK_UNWRITABLE', { reason: reasonOf(error) }, error)
        }
      })
      turn = next.catch(() => {})
      return next
    },

    /** Deletes this process's file, if `isDone` still says so when its turn comes. */
    clear(isDone: () => boolean): Promise<void> {
      const next = turn.then(async () => {
        if (!file || !isDone()) return
        const handle = await file
        file = undefined
        const isOurs = await isAt(path, handle)
        await handle.close()
        if (isOurs) await unlink(path)
      })
      turn = next.catch(() => {})
      return next
    },

    /** Files of other processes. */
    async others(): Promise<string[]> {
      const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return []
        throw error
      })
      return names
        .filter((one) => one.endsWith('.jsonl') && one !== name)
        .sort()
        .map((one) => join(directory, one))
    },

    /** Closes the file and leaves it to the next process. */
    async close(): Promise<void> {
      await turn
      await (await file)?.close()
      file = undefined
    },
  }
}

/** Takes a dead process's file: what its process would still append goes to a new one. Returns the path to read. */
export async function takeFile(path: string): Promise<string> {
  if (path.endsWith(TAKEN)) return path
  const taken = path.replace(/\.jsonl$/, TAKEN)
  await rename(path, taken)
  return taken
}

async function isAt(path: string, handle: FileHandle): Promise<boolean> {
  const [there, here] = await Promise.all([stat(path).catch(() => undefined), handle.stat()])
  return there?.ino === here.ino
}

/** The facts of a file, without a last line that a loss of power cut. */
export async function readFacts(path: string): Promise<StoredFact[]> {
  const found = new Map<string, StoredFact>()
  for (const text of (await readFile(path, 'utf8')).split('\n')) {
    const line = parsed(text)
    if (line?.kind === 'fact') found.set(keyOf(line.fact), { fact: line.fact, told: undefined })
    else if (line) {
      const fact = found.get(line.command)
      if (fact) fact.told = { status: line.status }
    }
  }
  return [...found.values()]
}

function keyOf({ call, command }: Fact): string {
  return command?.id ?? call!.id
}

const MOMENTS = new Set(['startedAt', 'endedAt', 'decidedAt', 'expiresAt'])

function parsed(text: string): Line | undefined {
  try {
    return JSON.parse(text, (key, value) =>
      MOMENTS.has(key) && typeof value === 'string' ? new Date(value) : value,
    ) as Line
  } catch {
    return undefined
  }
}
