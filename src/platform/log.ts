import { type Logger, pino, stdTimeFunctions } from 'pino'
import pretty from 'pino-pretty'

export type { Logger }

/**
 * Log lines on standard output: JSON, or readable text on a terminal. Lines have `call_id`, `leg`, `tenant` where
 * they apply; never spoken words, a whole telephone number, or a secret. The paths below are only a second line
 * of defence.
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

/** A log without output. */
export function silentLog(): Logger {
  return pino({ level: 'silent' })
}
