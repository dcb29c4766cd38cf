import { type Logger, pino, stdTimeFunctions } from 'pino'
import pretty from 'pino-pretty'

export type { Logger }

/**
 * Lines on standard output: JSON, or readable ones where somebody watches. Lines carry `call_id`, `leg`, `tenant` where
 * they apply; never what a person said, a whole telephone number, or a secret. The paths below are a second fence, not
 * the first.
 */
export function createLog(level: string, { readable = false } = {}): Logger {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: ['authorization', 'headers.authorization', 'password', '*.password', 'apiKey', 'DATABASE_URL'],
      censor: '[redacted]',
    },
  }
  if (!readable) return pino(options)
  return pino(
    options,
    pretty({ sync: true, singleLine: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' }),
  )
}

/** A log that says nothing. */
export function silentLog(): Logger {
  return pino({ level: 'silent' })
}
