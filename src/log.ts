import { type Logger, pino, stdTimeFunctions } from 'pino'

export type { Logger }

/**
 * JSON lines on standard output. Lines carry `call_id`, `leg`, `tenant` where they apply; never what a person said, a
 * whole telephone number, or a secret. The paths below are a second fence, not the first.
 */
export function createLog(level: string): Logger {
  return pino({
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: [
        'authorization',
        'headers.authorization',
        'password',
        '*.password',
        'apiKey',
        'key_plain',
        'DATABASE_URL',
      ],
      censor: '[redacted]',
    },
  })
}

/** A log that says nothing: tests and the demo. */
export function silentLog(): Logger {
  return pino({ level: 'silent' })
}
