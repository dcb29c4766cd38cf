import { reportLast } from '../observe/index.ts'
import { asPorteiroError } from '../platform/errors.ts'
import { run } from './cli.ts'

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => {
    process.stderr.write(
      `${JSON.stringify({ level: 'fatal', code: 'BUG', msg: String(error), stack: (error as Error)?.stack })}\n`,
    )
    // an uncaught error leaves the process in an unknown state
    void reportLast(error).finally(() => process.exit(asPorteiroError(undefined).exit))
  })
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // the reader has stopped reading, as in `porteiro doctor | head -1`, or the terminal is closed; calls go on
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  })
}

process.exitCode = await run(process.argv.slice(2))
