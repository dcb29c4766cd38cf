import type { ErrorEvent } from '@sentry/node'

/** In this order: values of secret keys, personal addresses, then every long number. */
const MASKS: [RegExp, string][] = [
  [/\b(Bearer|Basic|token)\s+[\w.~+/=-]+/gi, '$1 [secret]'],
  [/\b(password|secret|token|api[_-]?key)(["']?\s*[:=]\s*["']?)[^\s"',;&]+/gi, '$1$2[secret]'],
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1[secret]@'],
  [/\b(?:ptr|sk|whsec|EAA)[_-]?[\w-]{16,}/g, '[secret]'],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/gi, '[address]'],
  // telephone numbers in any notation, but no UUIDs
  [/(?<![\w-])\+?\(?\d(?:[\s().-]{0,2}\d){7,14}(?![\w-])/g, '[number]'],
]
/** Maximum length of a text; a provider's answer may be pages long. */
const LONGEST = 1000

/** A text without telephone numbers, mail addresses, secrets and logins in URLs. */
export function masked(text: string): string {
  return MASKS.reduce((left, [pattern, mask]) => left.replace(pattern, mask), text.slice(0, LONGEST))
}

/**
 * The reported parts of an error: kind, message, stack, tags, release and time. A whitelist: fields of later SDKs are
 * not sent.
 */
export function scrubbed(event: ErrorEvent): ErrorEvent {
  const { event_id, timestamp, platform, level, release, environment, sdk, tags, exception } = event
  const values = (exception?.values ?? []).map(({ type, value, mechanism, stacktrace }) => ({
    type,
    value: value === undefined ? value : masked(value),
    mechanism,
    stacktrace: stacktrace && {
      frames: (stacktrace.frames ?? []).map((frame) => ({
        filename: frame.filename,
        function: frame.function,
        lineno: frame.lineno,
        colno: frame.colno,
        in_app: frame.in_app,
      })),
    },
  }))
  return {
    type: event.type,
    event_id,
    timestamp,
    platform,
    level,
    release,
    environment,
    sdk,
    tags,
    exception: { values },
  } as ErrorEvent
}
