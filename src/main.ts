import { run } from './cli.ts'
import { asPorteiroError } from './errors.ts'
import { reportLast } from './observe/error-reports.ts'

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => {
    process.stderr.write(
      `${JSON.stringify({ level: 'fatal', code: 'BUG', msg: String(error), stack: (error as Error)?.stack })}\n`,
    )
    // what was caught by nobody leaves the process in no state to go on
    void reportLast(error).finally(() => process.exit(asPorteiroError(undefined).exit))
  })
}

process.exitCode = await run(process.argv.slice(2))
