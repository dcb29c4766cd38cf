import type { Command } from 'commander'
import { newSecret } from '../outbound/index.ts'
import { fail } from '../platform/errors.ts'
import { type Database, listSecrets, renewSecrets, rewriteSecrets } from '../platform/postgres/index.ts'
import { lostSecrets, SECRET_COLUMNS } from '../roles/index.ts'
import { table } from './table.ts'

interface SecretsCommandOptions {
  /** Opens the database for the duration of the work. */
  withDatabase: (work: (database: Database) => Promise<void>) => Promise<void>
  print: (line: string) => void
}

/** How a state is shown. */
const STATES = {
  plain: 'clear text',
  current: 'SECRET_KEY',
  other: 'SECRET_KEY_OLD',
  lost: 'unreadable',
} as const

/** `porteiro secrets list|encrypt|rotate|decrypt|renew`. */
export function registerSecretsCommand(
  program: Command,
  { withDatabase, print }: SecretsCommandOptions,
): void {
  const secrets = program
    .command('secrets')
    .description('secrets of endpoints, gates and accounts in the database')
  const json = ['--json', 'one JSON object', false] as const

  secrets
    .command('list')
    .description('list which secrets there are, and which key decrypts each; never the secrets themselves')
    .option(...json)
    .action(({ json }) =>
      withDatabase(async (database) => {
        const found = await listSecrets(database, SECRET_COLUMNS)
        const rows = found.map(({ place, state }) => ({ place: place.join(' '), state }))
        if (json) return print(JSON.stringify({ secrets: rows }))
        if (rows.length === 0) return print('There are no secrets.')
        for (const row of table(
          ['encrypted with', 'secret'],
          rows.map(({ place, state }) => [STATES[state], place]),
        ))
          print(row)
      }),
    )

  const rewriting = [
    ['encrypt', 'sealed', 'encrypt the secrets that are stored in clear text; needs SECRET_KEY'],
    [
      'rotate',
      'current',
      'encrypt every secret with SECRET_KEY, also those of SECRET_KEY_OLD; can be interrupted and begun again',
    ],
    ['decrypt', 'plain', 'write every secret in clear text again, for a version that cannot decrypt them'],
  ] as const
  for (const [name, wanted, description] of rewriting) {
    secrets
      .command(name)
      .description(description)
      .option(...json)
      .action(({ json }) =>
        withDatabase(async (database) => {
          if (wanted !== 'plain' && database.secrets.prefix === undefined) throw fail('SECRET_KEY_MISSING')
          const found = await listSecrets(database, SECRET_COLUMNS)
          const lost = found.filter(({ state }) => state === 'lost')
          if (lost.length > 0) throw lostSecrets(lost.map(({ place }) => place))
          const rows = await rewriteSecrets(database, SECRET_COLUMNS, wanted)
          const done = wanted === 'plain' ? 'decrypted' : 'encrypted'
          print(
            json
              ? JSON.stringify({ rows })
              : rows === 0
                ? 'There is nothing to do.'
                : `Rows ${done}: ${rows}`,
          )
        }),
      )
  }

  secrets
    .command('renew')
    .description(
      'give up the secrets that no key decrypts: endpoints and gates get new ones, printed once; accounts and endpoints with tokens are disabled',
    )
    .option(...json)
    .action(({ json }) =>
      withDatabase(async (database) => {
        const renewed = await renewSecrets(database, SECRET_COLUMNS, newSecret)
        if (json)
          return print(
            JSON.stringify({
              renewed: renewed.map(({ place, ...one }) => ({ place: place.join(' '), ...one })),
            }),
          )
        if (renewed.length === 0) return print('Every secret can be decrypted.')
        for (const { place, secret, advice } of renewed) print(`${place.join(' ')}: ${secret ?? advice}`)
        if (renewed.some(({ secret }) => secret !== null))
          print(
            'Give each new secret to its receiver or controller: nothing is signed with the old ones any more.',
          )
      }),
    )
}
