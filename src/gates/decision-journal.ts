import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { DecidedCall } from '../calls/index.ts'
import { createLineFile, LINES, lineFilesIn, moveFile, readLines, removeFile } from '../platform/line-file.ts'
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

/** Ends the names of files that another process takes over; each has a name of its own, for one that lives after all makes another. */
const TAKEN = `.taken${LINES}`

/** `failed`: the visitor of this call is about to hear that the gate does not answer, and that the porter was told. */
export type Line =
  | { kind: 'fact'; fact: Fact }
  | ({ kind: 'told'; command: string } & Told)
  | { kind: 'failed'; call: DecidedCall }

interface StoredFact {
  fact: Fact
  told: Told | undefined
}

/** What a file has, in the order in which it is to be stored. */
interface StoredFile {
  facts: StoredFact[]
  /** Calls whose gate did not answer. */
  failed: DecidedCall[]
}

/**
 * Decisions on the disk while the database is away or slow: lines in `<directory>/*.jsonl`. A process has one file, named by its
 * instance, and deletes it once the database has all of it.
 */
export function createDecisionJournal(directory: string, instance: string) {
  const name = instance + LINES
  const file = createLineFile<Line>(directory, () => name)
  return {
    append: file.append,
    /** Deletes this process's file, if `isDone` still says so when its turn comes. */
    clear: (isDone: () => boolean): Promise<void> => file.close(removeFile, isDone),
    /** Files of other processes. */
    async others(): Promise<string[]> {
      const names = await lineFilesIn(directory)
      return names.filter((one) => one !== name).map((one) => join(directory, one))
    },
    /** Closes the file and leaves it to the next process. */
    close: (): Promise<void> => file.close(),
  }
}

/**
 * Takes a dead process's file: what its process would still append goes to a new one. Resolves with the path to read; undefined
 * if another process has it.
 */
export async function takeFile(path: string): Promise<string | undefined> {
  if (path.endsWith(TAKEN)) return path
  const taken = `${path.slice(0, -LINES.length)}.${randomUUID()}${TAKEN}`
  return (await moveFile(path, taken)) ? taken : undefined
}

const MOMENTS = new Set(['startedAt', 'endedAt', 'decidedAt', 'expiresAt'])

/** Undefined where the file is gone: another process has taken or stored it. */
export async function readFacts(path: string): Promise<StoredFile | undefined> {
  const lines = await readLines<Line>(path, MOMENTS)
  if (!lines) return undefined
  const facts = new Map<string, StoredFact>()
  const failed: DecidedCall[] = []
  for (const line of lines) {
    if (line.kind === 'fact') facts.set(keyOf(line.fact), { fact: line.fact, told: undefined })
    else if (line.kind === 'failed') failed.push(line.call)
    else {
      const fact = facts.get(line.command)
      if (fact) fact.told = { status: line.status }
    }
  }
  return { facts: [...facts.values()], failed }
}

function keyOf({ call, command }: Fact): string {
  return command?.id ?? call!.id
}
