import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { scrubbed } from './scrub.ts'

/** ms that what was reported has to leave when the process ends. */
const FLUSH_MS = 2000
/** Reports of one code in a minute: what goes wrong in every call at once is told by a few. */
const PER_CODE = 5
const WINDOW_MS = 60_000

/** What an error belongs to; told as tags. Nothing else of a call is told. */
interface ReportTags {
  call_id?: string | undefined
  leg?: string | undefined
  message_id?: string | undefined
  tenant?: string | undefined
}

interface ErrorReportsOptions {
  /** As `https://KEY@HOST/PROJECT`; undefined: nothing is reported. */
  dsn: string | undefined
  /** Of this program. */
  release: string
  log: Logger
  /** ms that what was reported has to leave at the end. */
  flushMs?: number
}

/** Errors on their way to Sentry, or to whatever else speaks its protocol. */
export interface ErrorReports {
  /** Never throws and never waits. */
  report(error: unknown, tags?: ReportTags): void
  /** Lets what was reported leave, for `flushMs` at most; nothing is reported afterwards. */
  close(): Promise<void>
}

/** Those that are open: an uncaught exception belongs to the process and not to a part that could be given them. */
const open = new Set<ErrorReports>()

/**
 * A client of Sentry with nothing of its automatic instrumentation: it patches no module, follows no request and keeps no
 * breadcrumbs. It gets the error, its causes, its code and the tags; numbers, addresses and secrets in texts are masked.
 * Without a DSN Sentry's code is not even loaded.
 */
export async function createErrorReports({
  dsn,
  release,
  log,
  flushMs = FLUSH_MS,
}: ErrorReportsOptions): Promise<ErrorReports> {
  if (dsn === undefined) return { report: () => {}, close: async () => {} }
  const { NodeClient, Scope, defaultStackParser, linkedErrorsIntegration, makeNodeTransport } = await import(
    '@sentry/node'
  )
  const client = new NodeClient({
    dsn,
    release: `porteiro@${release}`,
    transport: makeNodeTransport,
    transportOptions: { keepAlive: false },
    stackParser: defaultStackParser,
    integrations: [],
    includeServerName: false,
    sendClientReports: false,
    // it would hook into the loading of modules
    enableRuntimeChannelInjection: false,
    beforeSend: scrubbed,
  })
  // not init(): that puts itself below every asynchronous call of the process
  client.addIntegration(linkedErrorsIntegration())
  client.on('afterSendEvent', (_, { statusCode = 0 }) => {
    if (statusCode >= 300) log.warn({ status: statusCode }, 'Sentry refused a report')
  })
  const told = new Map<string, { count: number; since: number }>()
  let closing: Promise<void> | undefined

  /** Whether one more of this code is worth a report. */
  const isRare = (code: string): boolean => {
    const now = performance.now()
    const seen = told.get(code)
    if (!seen || now - seen.since > WINDOW_MS) {
      told.set(code, { count: 1, since: now })
      return true
    }
    return ++seen.count <= PER_CODE
  }

  const reports: ErrorReports = {
    report(thrown, tags = {}) {
      if (closing) return
      const error = asPorteiroError(thrown)
      if (!isRare(error.code)) return
      try {
        const scope = new Scope()
        scope.setClient(client)
        scope.setTag('code', error.code)
        for (const [name, value] of Object.entries(tags)) if (value !== undefined) scope.setTag(name, value)
        // a BUG says nothing; what is behind it does
        const shown = error.code === 'BUG' && error.cause instanceof Error ? error.cause : error
        client.captureException(shown, { originalException: shown }, scope)
      } catch (problem) {
        log.warn({ code: error.code, reason: reasonOf(problem) }, 'an error was not reported')
      }
    },
    close() {
      closing ??= (async () => {
        open.delete(reports)
        const sent = await client.close(flushMs)
        if (!sent) log.warn({ ms: flushMs }, 'not every report to Sentry has left')
      })()
      return closing
    },
  }
  open.add(reports)
  return reports
}

/** For main.ts, when an exception was caught by nobody: reports it and waits, 2 s at most, until that has left. */
export async function reportLast(error: unknown): Promise<void> {
  await Promise.all(
    [...open].map((reports) => {
      reports.report(error)
      return reports.close()
    }),
  )
}
