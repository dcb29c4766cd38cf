import { run } from './cli.ts'
import { asPorteiroError } from './errors.ts'

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => {
    process.stderr.write(
      `${JSON.stringify({ level: 'fatal', code: 'BUG', msg: String(error), stack: (error as Error)?.stack })}\n`,
    )
    process.exit(asPorteiroError(undefined).exit)
  })
}

process.exitCode = await run(process.argv.slice(2))
