import { asPorteiroError, fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { scrubbed } from './scrub.ts'

/** Limit in ms for sending pending reports when the process ends. */
const FLUSH_MS = 2000
/** Maximum reports of one code in a minute: an error that affects every call needs only a few. */
const PER_CODE = 5
const WINDOW_MS = 60_000

/** Tags of a report. It contains nothing else about a call. */
interface ReportTags {
  call_id?: string | undefined
  leg?: string | undefined
  message_id?: string | undefined
  tenant?: string | undefined
}

interface ErrorReportsOptions {
  /** As `https://KEY@HOST/PROJECT`; undefined: nothing is reported. */
  dsn: string | undefined
  /** Version of this program. */
  release: string
  log: Logger
  /** Limit in ms for sending pending reports at the end. */
  flushMs?: number
}

/** Reports errors to Sentry or a compatible server. */
export interface ErrorReports {
  /** Never throws and never waits. */
  report(error: unknown, tags?: ReportTags): void
  /** Sends pending reports for `flushMs` at most; later reports are dropped. */
  close(): Promise<void>
}

/** The open clients, for uncaught exceptions, which belong to no part of the process. */
const open = new Set<ErrorReports>()

/**
 * A Sentry client without automatic instrumentation: it patches no module, traces no request and keeps no
 * breadcrumbs. It gets the error, its causes, its code and the tags; numbers, addresses and secrets in texts are masked.
 * Without a DSN Sentry's code is not loaded. Errors: SENTRY_MISSING.
 */
export async function createErrorReports({
  dsn,
  release,
  log,
  flushMs = FLUSH_MS,
}: ErrorReportsOptions): Promise<ErrorReports> {
  if (dsn === undefined) return { report: () => {}, close: async () => {} }
  const { NodeClient, Scope, defaultStackParser, linkedErrorsIntegration, makeNodeTransport } =
    await loadSentry()
  const client = new NodeClient({
    dsn,
    release: `porteiro@${release}`,
    transport: makeNodeTransport,
    transportOptions: { keepAlive: false },
    stackParser: defaultStackParser,
    integrations: [],
    includeServerName: false,
    sendClientReports: false,
    // it would hook into module loading
    enableRuntimeChannelInjection: false,
    beforeSend: scrubbed,
  })
  // not init(), which instruments every asynchronous call of the process
  client.addIntegration(linkedErrorsIntegration())
  client.on('afterSendEvent', (_, { statusCode = 0 }) => {
    if (statusCode >= 300) log.warn({ status: statusCode }, 'Sentry refused a report')
  })
  const reported = new Map<string, { count: number; since: number }>()
  let closing: Promise<void> | undefined

  /** Whether this code is still below its limit. */
  const isRare = (code: string): boolean => {
    const now = performance.now()
    const seen = reported.get(code)
    if (!seen || now - seen.since > WINDOW_MS) {
      reported.set(code, { count: 1, since: now })
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
        // the cause of a BUG is more useful
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

/** An optional dependency: it is larger than most of the others together. */
async function loadSentry() {
  try {
    return await import('@sentry/node')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw fail('SENTRY_MISSING', {}, error)
  }
}

/** For uncaught exceptions in main.ts: reports the error and waits at most 2 s until it is sent. */
export async function reportLast(error: unknown): Promise<void> {
  await Promise.all(
    [...open].map((reports) => {
      reports.report(error)
      return reports.close()
    }),
  )
}
