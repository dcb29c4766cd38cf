/** What a chaos run notes down, a line of JSON each, so that a run which was interrupted goes on and the oracle judges all of it. */
import { appendFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** A command that reached the gate's controller. Times are ms since the epoch. */
export interface CommandRecord {
  kind: 'command'
  id: string
  call: string
  counter: number
  at: number
  expiresAt: number
  /** How the controller behaved. */
  manner: Manner
  /** Whether the gate opened: the id was new, the command in time, and the controller did not lose it. */
  opened: boolean
  /** Status that was answered, and when; absent where none was. */
  status?: number
  answeredAt?: number
}

/** As asked; after some seconds; two answers to one command; opens and answers 503; opens, or does not, and answers nothing. */
export type Manner = 'prompt' | 'late' | 'twice' | 'wrong' | 'silent' | 'lost'

export interface WebhookRecord {
  kind: 'webhook'
  /** Of the message: the same for each attempt. */
  id: string
  type: string
  call: string | null
  at: number
}

/** One thing that a telephone heard or did. */
export interface Moment {
  at: number
  type: 'connected' | 'hearing' | 'key' | 'lost' | 'hangup' | 'ended'
  /** Of `hearing`: the prompt; of `key`: the key; of `hangup`: who; of `ended`: how; of `connected`: the connection's number. */
  what: string
}

export interface VisitRecord {
  kind: 'visit'
  call: string
  moments: Moment[]
}

export interface ResidentRecord {
  kind: 'resident'
  call: string
  moments: Moment[]
}

/** A decision that the API answered 200 to. */
export interface ApiRecord {
  kind: 'api'
  call: string
  verdict: string
  at: number
}

export interface BlowRecord {
  kind: 'blow'
  at: number
  /** Process or database. */
  target: string
  how: Blow
  /** Calls that were live, and the load of the machine (1 minute). */
  live: number
  load: number
  /** How many calls were in each state; empty where the database could not say. */
  states: Record<string, number>
}

export type Blow = 'kill' | 'thread' | 'pause' | 'cut' | 'crash' | 'stop'

export type PeerRecord = CommandRecord | WebhookRecord
export type ChaosRecord = PeerRecord | VisitRecord | ResidentRecord | ApiRecord | BlowRecord

/** Appends before it returns: what is killed afterwards has it. */
export function noteRecord(file: string, record: ChaosRecord): void {
  appendFileSync(file, `${JSON.stringify(record)}\n`)
}

/** Of a file that may end in the middle of a line, or not exist yet. */
export async function readRecords(file: string): Promise<ChaosRecord[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as ChaosRecord]
    } catch {
      return []
    }
  })
}
