import { Command, CommanderError } from 'commander'
import * as assert from 'uvu/assert'
import { registerKeysCommand } from '../../src/cli/keys.ts'
import { findKey } from '../../src/http/sql/keys.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { openTestDatabase } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('keys command')

async function open(rig: Rig) {
  const database = await openTestDatabase(rig)
  return {
    database,
    /** Runs one command line; resolves with what it printed. */
    async run(...args: string[]): Promise<string> {
      const lines: string[] = []
      const program = new Command('porteiro').exitOverride().configureOutput({ writeErr: () => {} })
      registerKeysCommand(program, {
        withDatabase: (work) => work(database),
        print: (line) => void lines.push(line),
      })
      await program.parseAsync(['keys', ...args], { from: 'user' })
      return lines.join('\n')
    },
  }
}

test('a key is made, listed without itself, and revoked', async (rig) => {
  const { run, database } = await open(rig)
  assert.is(await run('list'), 'There are no keys.')
  const made = JSON.parse(
    await run('create', 'Night desk', '--scope', 'read, operate', '--tenant', 'default', '--json'),
  )
  assert.equal([made.name, made.tenant, made.scopes], ['Night desk', 'default', ['read', 'operate']])
  assert.is((await findKey(database, made.key))!.id, made.id)
  const plain = await run('create', 'Prometheus')
  assert.match(plain, /^ptr_[\w-]{43}$/)
  const listed = await run('list')
  const [head, ...rows] = listed.split('\n')
  assert.match(head!, /^id +scopes +tenant +state +name$/)
  assert.is(rows.length, 2)
  for (const row of rows)
    assert.is(row.search(/never used/), head!.indexOf('state'), 'each column stands under its heading')
  assert.match(listed, new RegExp(`^${made.id}  read,operate +default +never used +Night desk$`, 'm'))
  assert.match(listed, /read +every tenant +never used +Prometheus$/m)
  assert.not.match(listed, /ptr_/)
  assert.is(JSON.parse(await run('list', '--tenant', 'default', '--json')).keys.length, 1)

  assert.is(await run('revoke', made.id.toUpperCase()), `Revoked: ${made.id}`)
  assert.is(await findKey(database, made.key), undefined)
  assert.match(await run('list'), new RegExp(`${made.id} .* revoked \\d{4}-\\d\\d-\\d\\d +Night desk`))
})

test('wrong usage makes nothing', async (rig) => {
  const { run } = await open(rig)
  const usage = async (...args: string[]) => {
    const error = await run(...args).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    const ours = error instanceof PorteiroError && error.code === 'USAGE_WRONG'
    assert.ok(ours || error instanceof CommanderError, `${args.join(' ')}: ${error}`)
  }
  await usage('create')
  await usage('create', 'x', '--scope', 'root')
  await usage('create', 'x', '--scope', '')
  await usage('create', 'x', '--tenant', 'nobody')
  await usage('revoke', '7')
  await usage('revoke', crypto.randomUUID())
  assert.is(await run('list'), 'There are no keys.')
})

test.run()
