import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

interface ProcessFacts {
  /** Distinguishes a process from a later one with the same id; only for comparison. */
  startedAt: string
  /** Ended, but not yet reaped by its parent. */
  zombie: boolean
  /** The command line, arguments separated by single spaces. */
  command: string
}

/** Undefined if there is no such process. Read from /proc if it exists, else from ps. */
export function inspectProcess(pid: number): ProcessFacts | undefined {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
}

/** Whether `pid` is still the process with this `startedAt` and is running. */
export function isRunning(pid: number, startedAt: string): boolean {
  const found = inspectProcess(pid)
  return found !== undefined && !found.zombie && found.startedAt === startedAt
}

function fromProc(pid: number): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // the second field is the name in parentheses and may itself contain spaces and parentheses
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    // proc(5): state is field 3, starttime field 22
    return { zombie: fields[0] === 'Z' || fields[0] === 'X', startedAt: fields[19] ?? '', command }
  } catch {
    return undefined
  }
}

function fromPs(pid: number): ProcessFacts | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'state=,lstart=,command=', '-p', String(pid)], {
      encoding: 'utf8',
    })
    // lstart is five words: Fri Nov 20 11:27:56 2026
    const [state = '', ...words] = line.trim().split(/\s+/)
    return {
      zombie: state.startsWith('Z'),
      startedAt: words.slice(0, 5).join(' '),
      command: words.slice(5).join(' '),
    }
  } catch {
    return undefined
  }
}
