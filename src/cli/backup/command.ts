import type { Command } from 'commander'
import type { Database } from '../../platform/postgres/index.ts'
import { backup } from './backup.ts'
import { restore } from './restore.ts'

interface BackupCommandOptions {
  /** Opens the database as it is, without migrating it, for the duration of the work. */
  withDatabase: (
    work: (database: Database, place: { dataDir: string; signal: AbortSignal }) => Promise<void>,
  ) => Promise<void>
  /** Directory of the migrations. */
  migrations: string
  print: (line: string) => void
  /** Shows how far the work is; undefined unless standard error is a terminal. */
  progress?: ((text: string) => void) | undefined
}

/** `porteiro backup` and `porteiro restore`. */
export function registerBackupCommands(
  program: Command,
  { withDatabase, migrations, print, progress = () => {} }: BackupCommandOptions,
): void {
  program
    .command('backup')
    .description(
      'write all tables in one snapshot, recordings, own prompts and messages not yet in the database into a new folder; calls go on',
    )
    .argument('<folder>', 'to create; it has its name only when it is complete')
    .option('--no-recordings', 'leave the recordings of calls out')
    .option('--json', 'one JSON object', false)
    .action((target, { recordings, json }) =>
      withDatabase(async (database, place) => {
        const done = await backup({ database, ...place, target, recordings, progress }).finally(() =>
          progress(''),
        )
        if (json) return print(JSON.stringify(done))
        print(`${done.target}: ${done.rows} rows, ${done.files} files (${megabytes(done.bytes)} MB)`)
        print(
          'SECRET_KEY and the other settings are not in it. It has personal data: keep it as safe as the database.',
        )
      }),
    )

  program
    .command('restore')
    .description(
      'load a backup into an empty database and DATA_DIR; nothing is written if a file of it is damaged',
    )
    .argument('<folder>', 'as backup wrote it')
    .option('--replace', 'first delete everything that the database has', false)
    .option(
      '--as-copy',
      'the installation of the backup works on: pause all messages and disable all gates here',
      false,
    )
    .option('--json', 'one JSON object', false)
    .action((source, { replace, asCopy, json }) =>
      withDatabase(async (database, place) => {
        const done = await restore({
          database,
          ...place,
          migrations,
          source,
          replace,
          asCopy,
          progress,
        }).finally(() => progress(''))
        if (json) return print(JSON.stringify(done))
        print(`Restored the backup of ${done.createdAt}: ${done.rows} rows, ${done.files} files`)
        if (done.missingKeys.length > 0)
          print(
            `Secrets are encrypted with the key ${done.missingKeys.join(', ')}: set SECRET_KEY as it was, or the service does not start.`,
          )
        if (asCopy) print('Messages are paused and gates disabled. Begin with: npx porteiro queue resume')
      }),
    )
}

const megabytes = (bytes: number) => (bytes / 1024 ** 2).toFixed(1)
