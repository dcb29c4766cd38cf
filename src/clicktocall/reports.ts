import type { DialRequest, RingResult, Screened } from '../../machines/index.ts'
import { createCache } from '../platform/cache.ts'

/**
 * What became of a telephone that was asked to ring. The first four are no end; `person` and `machine` are what the PBX has
 * detected on an answered line.
 */
export const REPORTS = [
  'ringing',
  'answered',
  'person',
  'machine',
  'busy',
  'declined',
  'unanswered',
  'unallocated',
  'congested',
  'failed',
] as const satisfies readonly ('ringing' | 'answered' | Screened | RingResult['end'])[]

export type Report = (typeof REPORTS)[number]

export type AttemptIds = Pick<DialRequest, 'callId' | 'attemptId'>

/** A report with the attempt that it is about. */
export interface RingReport extends AttemptIds {
  report: Report
}

/** Attempts that are remembered; more do not ring at once. */
const REMEMBERED = 10_000

/** `over`: an end was reported, and nothing that comes later counts. */
type Progress = 'asked' | 'ringing' | 'answered' | 'screened' | 'over'

interface Expected {
  callId: string
  progress: Progress
  /** Reports that came before anybody listened. */
  kept: Report[]
  listener: ((report: Report) => void) | undefined
}

export type Reports = ReturnType<typeof createReports>

/**
 * Brings what the PBX reports of a telephone to the attempt that rings. Reports of unknown attempts, second ones and those in a
 * wrong order are dropped. Reports that come between the request and `listen` are kept.
 */
export function createReports() {
  const attempts = createCache<Expected>(REMEMBERED)

  const entryOf = ({ callId, attemptId }: AttemptIds): Expected => {
    const known = attempts.get(attemptId)
    if (known) return known
    const one: Expected = { callId, progress: 'asked', kept: [], listener: undefined }
    attempts.set(attemptId, one)
    return one
  }

  return {
    /** Before the telephone is asked to ring. */
    expect(request: AttemptIds): void {
      entryOf(request)
    },
    /** Whether an attempt of that id and that call is expected here. */
    has: ({ callId, attemptId }: AttemptIds): boolean => attempts.get(attemptId)?.callId === callId,
    report({ attemptId, report }: Pick<RingReport, 'attemptId' | 'report'>): void {
      const one = attempts.get(attemptId)
      if (!one || !follows(one.progress, report)) return
      one.progress = progressOf(report)
      if (one.listener) one.listener(report)
      else one.kept.push(report)
    },
    /** One listener an attempt, the latest, at once with what was kept. Returns the function that forgets the attempt. */
    listen(request: AttemptIds, listener: (report: Report) => void): () => void {
      const one = entryOf(request)
      one.listener = listener
      for (const report of one.kept.splice(0)) listener(report)
      return () => {
        if (attempts.get(request.attemptId)?.listener === listener) attempts.delete(request.attemptId)
      }
    },
    forget(attemptId: string): void {
      attempts.delete(attemptId)
    },
  }
}

export function isScreened(report: Report): report is Screened {
  return report === 'person' || report === 'machine'
}

function progressOf(report: Report): Progress {
  if (isScreened(report)) return 'screened'
  return report === 'ringing' || report === 'answered' ? report : 'over'
}

/** An answered telephone can only be lost before it joins; what else comes late is about something older. */
function follows(progress: Progress, report: Report): boolean {
  if (progress === 'over') return false
  if (progress === 'screened') return report === 'failed'
  if (progress === 'answered') return report === 'failed' || isScreened(report)
  return progress === 'asked' || report !== 'ringing'
}
