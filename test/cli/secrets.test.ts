import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { examine } from '../../src/cli/doctor/doctor.ts'
import { examineSecrets } from '../../src/cli/doctor/secrets.ts'
import { registerSecretsCommand } from '../../src/cli/secrets.ts'
import { parseConfig } from '../../src/config/index.ts'
import { findGate, saveGate } from '../../src/gates/sql/gates.ts'
import { createAccounts, endpointInput, instanceInput } from '../../src/outbound/index.ts'
import {
  createEndpoint,
  findEndpoint,
  findTarget,
  rotateSecret,
  updateEndpoint,
} from '../../src/outbound/sql/endpoints.ts'
import { findInstance, saveInstance } from '../../src/outbound/sql/instances.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import { type Database, openDatabase } from '../../src/platform/postgres/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { startRoles } from '../../src/roles/index.ts'
import { checkSecrets } from '../../src/roles/secrets.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('secrets')

const newKey = () => randomBytes(32).toString('base64')
const T = 'default'
const ACCOUNT = {
  id: 'main',
  channel: 'whatsapp',
  settings: { url: 'https://graph.example/v23.0', phoneId: '1' },
  secrets: { token: 'account-token', appSecret: 'account-secret' },
} as const

interface Keys {
  key?: string | undefined
  others?: string[]
}

/** One database, opened with whatever keys a process has. */
async function openHouse(rig: Rig) {
  const url = await openDatabaseUrl(rig)
  const open = async ({ key, others = [] }: Keys = {}) => {
    const secretKeys = { key, others }
    const database = await openDatabase({ url, dataDir: '', log: silentLog(), max: 3, secretKeys })
    rig.defer(() => database.close())
    return database
  }
  return { url, open }
}

/** One of each kind. */
async function furnish(database: Database) {
  const standard = await createEndpoint(database, T, {
    url: 'https://a.example/',
    headers: { 'x-key': 'header-secret' },
  })
  const token = await createEndpoint(database, T, {
    url: 'https://b.example/',
    kind: 'token',
    token: 'endpoint-token',
  })
  const gate = await saveGate(database, T, 'front', { kind: 'webhook', url: 'https://gate.example/' })
  await saveInstance(database, T, ACCOUNT)
  return { standard, token, gate, ids: { standard: standard.endpoint.id, token: token.endpoint.id } }
}

/** What senders read. */
async function readAll(database: Database, { standard, token }: { standard: string; token: string }) {
  const signed = (await findTarget(database, T, standard))!
  return {
    secrets: signed.secrets,
    headers: signed.headers,
    token: (await findTarget(database, T, token))!.token,
    gate: (await findGate(database, T, 'front'))!.secrets[0]!,
    account: (await findInstance(database, T, 'whatsapp', 'main'))!.secrets,
  }
}

/** Every column that may have a secret, as it is stored. */
async function stored(database: Database): Promise<string> {
  const tables = ['endpoints', 'endpoint_secrets', 'instances', 'gates']
  const all = await Promise.all(tables.map((table) => database.query(`select * from ${table}`)))
  return JSON.stringify(all)
}

/** Runs one command line; resolves with what it printed. */
async function run(database: Database, ...args: string[]): Promise<string> {
  const lines: string[] = []
  const program = new Command('porteiro').exitOverride().configureOutput({ writeErr: () => {} })
  registerSecretsCommand(program, {
    withDatabase: (work) => work(database),
    print: (line) => void lines.push(line),
  })
  await program.parseAsync(['secrets', ...args], { from: 'user' })
  return lines.join('\n')
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'resolved',
    (error) => (error as { code: string }).code,
  )
}

const PLAIN = /whsec_|header-secret|endpoint-token|account-token|account-secret/

test('with a key no secret is stored in clear text, and each is read as it was', async (rig) => {
  const { open } = await openHouse(rig)
  const database = await open({ key: newKey() })
  const { ids, standard, gate } = await furnish(database)
  const first = await readAll(database, ids)
  assert.equal(first, {
    secrets: [standard.secret!],
    headers: { 'x-key': 'header-secret' },
    token: 'endpoint-token',
    gate: gate.secret,
    account: ACCOUNT.secrets,
  })
  assert.not.match(await stored(database), PLAIN)
  const rotated = await rotateSecret(database, T, ids.standard, 60_000)
  await updateEndpoint(database, T, ids.standard, { headers: { 'x-key': 'another' } })
  await updateEndpoint(database, T, ids.token, { token: 'another-token' })
  await saveInstance(database, T, { ...ACCOUNT, secrets: { token: 'account-token-2' } })
  const renewed = await saveGate(
    database,
    T,
    'front',
    { kind: 'webhook', url: 'https://gate.example/' },
    { rotate: true },
  )
  assert.equal(await readAll(database, ids), {
    secrets: [rotated!.secret, standard.secret!],
    headers: { 'x-key': 'another' },
    token: 'another-token',
    gate: renewed.secret,
    account: { ...ACCOUNT.secrets, token: 'account-token-2' },
  })
  assert.equal((await findEndpoint(database, T, ids.standard))!.headers, ['x-key'])
  assert.not.match(await stored(database), /whsec_|another|account-/)
})

test('the secret before a rotation signs beside the new one, for its time and as long as the gate is of its kind', async (rig) => {
  const { open } = await openHouse(rig)
  const database = await open({ key: newKey() })
  const gate = { kind: 'webhook', url: 'https://g.example/' } as const
  const signing = async () => (await findGate(database, T, 'front'))!.secrets
  const rotate = async (overlapMs: number) =>
    (await saveGate(database, T, 'front', gate, { rotate: true, overlapMs })).secret!
  const first = (await saveGate(database, T, 'front', gate)).secret!
  const second = await rotate(60_000)
  assert.equal(await signing(), [second, first])
  assert.not.match(await stored(database), PLAIN)
  // a change that rotates nothing leaves both
  const { gate: shown } = await saveGate(database, T, 'front', { ...gate, enabled: false })
  assert.ok(shown.oldSecretUntil! > new Date())
  assert.equal(await signing(), [second, first])
  const third = await rotate(60_000)
  assert.equal(await signing(), [third, second])
  await database.query(`update gates set old_secret_until = now() - interval '1 second'`)
  assert.equal(await signing(), [third])
  await saveGate(database, T, 'front', gate)
  const [{ old } = { old: '' }] = await database.query<{ old: string | null }>(
    'select old_secret as old from gates',
  )
  assert.is(old, null)
  await rotate(60_000)
  const last = await rotate(0)
  assert.equal(await signing(), [last])
  await rotate(60_000)
  await saveGate(database, T, 'front', { kind: 'amqp', exchange: 'gates', routingKey: 'front' })
  assert.is((await signing()).length, 1)
})

test('a secret that was copied to another place, or changed, is not read there', async (rig) => {
  const { open } = await openHouse(rig)
  const database = await open({ key: newKey() })
  for (const id of ['front', 'back'])
    await saveGate(database, T, id, { kind: 'webhook', url: 'https://g.example/' })
  await database.query(
    `update gates set secret = (select secret from gates where id = 'back') where id = 'front'`,
  )
  const error = await findGate(database, T, 'front').catch((thrown) => thrown as PorteiroError)
  assert.instance(error, PorteiroError)
  assert.equal([(error as PorteiroError).code, (error as PorteiroError).status], ['SECRET_UNREADABLE', 503])
  assert.ok((await findGate(database, T, 'back'))!.secrets[0])
  await database.query(`update gates set secret = left(secret, -2) || 'AA' where id = 'back'`)
  assert.is(await codeOf(findGate(database, T, 'back')), 'SECRET_UNREADABLE')
})

test('what is stored in clear text is read, encrypted on command, rotated, and decrypted again', async (rig) => {
  const { open, url } = await openHouse(rig)
  const [old, next] = [newKey(), newKey()]
  const plain = await open()
  const { ids } = await furnish(plain)
  const known = await readAll(plain, ids)
  assert.match(await stored(plain), /whsec_.*account-token/)
  assert.is(await codeOf(run(plain, 'encrypt')), 'SECRET_KEY_MISSING')

  const first = await open({ key: old })
  assert.equal(await readAll(first, ids), known)
  assert.match(await run(first, 'encrypt'), /^Rows encrypted: 5$/)
  assert.is(await run(first, 'encrypt'), 'There is nothing to do.')
  assert.not.match(await stored(first), PLAIN)
  assert.equal(await readAll(first, ids), known)
  assert.is(await codeOf(readAll(plain, ids)), 'SECRET_UNREADABLE')
  // a process that only reads with the key still writes in clear text
  assert.equal(await readAll(await open({ others: [old] }), ids), known)

  const both = await open({ key: next, others: [old] })
  const listed = await run(both, 'list')
  assert.match(listed, /SECRET_KEY_OLD +gates default front secret/)
  assert.match(listed, /SECRET_KEY_OLD +instances default whatsapp main secrets appSecret/)
  assert.not.match(listed, /whsec_|account-/)
  assert.match((await examineSecrets(both)).detail, /6 encrypted with SECRET_KEY_OLD/)
  assert.is(await run(both, 'encrypt'), 'There is nothing to do.', 'it leaves the old key’s to rotate')
  assert.match(await run(both, 'rotate'), /^Rows encrypted: 5$/)
  assert.equal(await readAll(both, ids), known)
  assert.equal(await readAll(await open({ key: next }), ids), known)
  assert.is((await examineSecrets(await open({ key: next }))).state, 'ok')
  // the old process has the old key only: it cannot read, and harms nothing
  assert.is(await codeOf(readAll(first, ids)), 'SECRET_UNREADABLE')

  // no start without the key, and doctor says the same
  const scratch = await createTempDir('porteiro-secrets-')
  rig.defer(() => scratch.remove())
  const environment = { DATABASE_URL: url, DATA_DIR: scratch.path, TTS: 'none', SECRET_KEY: old }
  const error = await startRoles({ config: parseConfig(environment), log: silentLog() }, ['worker']).catch(
    (thrown) => thrown,
  )
  assert.equal([error.code, error.exit], ['SECRET_KEY_UNKNOWN', 78])
  const problems = error.details.problems.join('\n')
  assert.match(problems, /gates default front secret stops working/)
  assert.match(problems, /Set SECRET_KEY again/)
  assert.match(problems, /secrets renew/)
  for (const database of [plain, first, await open({ others: [old] })]) {
    assert.is(await codeOf(checkSecrets(database)), 'SECRET_KEY_UNKNOWN')
    const finding = await examineSecrets(database)
    assert.equal([finding.state, finding.code], ['failed', 'SECRET_KEY_UNKNOWN'])
    assert.not.match(JSON.stringify([error.details, finding]), PLAIN)
  }
  const found = await examine(() => environment)
  assert.is(found.find(({ name }) => name === 'secrets')!.code, 'SECRET_KEY_UNKNOWN')

  // back to a version that cannot decrypt
  assert.match(await run(await open({ others: [next] }), 'decrypt'), /^Rows decrypted: 5$/)
  assert.equal(await readAll(plain, ids), known)
})

test('a rotation that is interrupted goes on where it was, and both forms are read meanwhile', async (rig) => {
  const { open } = await openHouse(rig)
  const [old, next] = [newKey(), newKey()]
  const first = await open({ key: old })
  const ids = Array.from({ length: 230 }, (_, at) => `g${at}`)
  await Promise.all(ids.map((id) => saveGate(first, T, id, { kind: 'webhook', url: 'https://g.example/' })))
  const known = await Promise.all(ids.map(async (id) => (await findGate(first, T, id))!.secrets[0]!))
  const both = await open({ key: next, others: [old] })
  let batches = 0
  const dying = Object.assign(Object.create(both) as Database, {
    transaction: (work: Parameters<Database['transaction']>[0]) => {
      // the tables of endpoints, messages and accounts come first, one batch each
      if (++batches > 7) return Promise.reject(new Error('killed'))
      return both.transaction(work)
    },
  })
  assert.ok(await run(dying, 'rotate').catch(({ message }) => message === 'killed'))
  const counts = async () => {
    const { secrets } = JSON.parse(await run(both, 'list', '--json'))
    return secrets.map(({ state }: { state: string }) => state).sort()
  }
  const between = await counts()
  assert.equal([between.filter((one: string) => one === 'current').length, between.length], [100, 230])
  const readable = () => Promise.all(ids.map(async (id) => (await findGate(both, T, id))!.secrets[0]!))
  assert.equal(await readable(), known)
  // somebody writes with the old key while it goes on
  await Promise.all([
    run(both, 'rotate'),
    saveGate(first, T, 'late', { kind: 'webhook', url: 'https://g.example/' }),
  ])
  await run(both, 'rotate')
  assert.equal(new Set(await counts()), new Set(['current']))
  assert.equal(await readable(), known)
})

test('with a lost key secrets are given up and set anew', async (rig) => {
  const { open } = await openHouse(rig)
  const before = await open({ key: newKey() })
  const { ids } = await furnish(before)
  await saveGate(before, T, 'back', { kind: 'webhook', url: 'https://g.example/' })
  await saveGate(
    before,
    T,
    'front',
    { kind: 'webhook', url: 'https://gate.example/' },
    { rotate: true, overlapMs: 60_000 },
  )
  await rotateSecret(before, T, ids.standard, 60_000)
  const key = newKey()
  const database = await open({ key })
  const untouched = await saveGate(database, T, 'side', { kind: 'webhook', url: 'https://g.example/' })
  assert.is(await codeOf(run(database, 'rotate')), 'SECRET_KEY_UNKNOWN')
  const printed = await run(database, 'renew')
  const secretOf = (place: string) => new RegExp(`^${place}: (whsec_.{44})$`, 'm').exec(printed)?.[1]
  const [signed] = (await findTarget(database, T, ids.standard))!.secrets
  assert.is(secretOf(`endpoint_secrets ${ids.standard} secret`), signed)
  assert.is(secretOf('gates default front secret'), (await findGate(database, T, 'front'))!.secrets[0]!)
  assert.is(secretOf('gates default back secret'), (await findGate(database, T, 'back'))!.secrets[0]!)
  assert.match(
    printed,
    /instances default whatsapp main secrets token: removed; set it again and enable the account/,
  )
  assert.match(
    printed,
    /^gates default front old_secret: removed; it signed beside the present one for a while$/m,
  )
  assert.is(
    printed.match(/^endpoint_secrets .*: removed; it signed beside/gm)!.length,
    1,
    'of the rotation before',
  )
  assert.is(printed.match(/: whsec_/g)!.length, 3, 'no secret that nobody needs')
  assert.match(printed, /^Give each new secret to its receiver or controller/m)
  assert.is((await findGate(database, T, 'side'))!.secrets[0]!, untouched.secret!)
  for (const id of [ids.token, ids.standard]) {
    const { enabled, disabledReason } = (await findEndpoint(database, T, id))!
    assert.equal([enabled, disabledReason], [false, 'its secret was lost'])
  }
  const accounts = createAccounts({ database, own: {} })
  assert.is(await accounts.find(T, 'whatsapp', 'main'), undefined)
  assert.is(await run(database, 'renew'), 'Every secret can be decrypted.')
  // as the message says
  await updateEndpoint(database, T, ids.token, { token: 'new-token', enabled: true })
  await saveInstance(database, T, { ...ACCOUNT, enabled: true })
  assert.is((await findTarget(database, T, ids.token))!.token, 'new-token')
  assert.equal((await accounts.find(T, 'whatsapp', 'main'))!.secrets, ACCOUNT.secrets)
  const listed = JSON.parse(await run(database, 'list', '--json')).secrets as { state: string }[]
  assert.equal(new Set(listed.map(({ state }) => state)), new Set(['current']))
})

test('a weak key is refused without being shown, and nobody writes what looks encrypted', () => {
  const weak = [
    'secret',
    'x'.repeat(64),
    'a'.repeat(43),
    '0'.repeat(64),
    'ab'.repeat(32),
    newKey().slice(0, 30),
  ]
  for (const name of ['SECRET_KEY', 'SECRET_KEY_OLD'])
    for (const value of weak) {
      let error: PorteiroError | undefined
      try {
        parseConfig({ [name]: value })
      } catch (thrown) {
        error = thrown as PorteiroError
      }
      assert.equal([error?.code, error?.exit], ['CONFIG_INVALID', 78], value)
      assert.not.ok(JSON.stringify(error!.details).includes(value))
    }
  const hex = randomBytes(32).toString('hex')
  assert.is(parseConfig({ SECRET_KEY: hex }).secretKeys.key, hex)
  const olds = [newKey(), randomBytes(32).toString('base64url')]
  assert.equal(parseConfig({ SECRET_KEY_OLD: olds.join(', ') }).secretKeys.others, olds)
  const forged = 'enc:v1:01234567:AAAA'
  const endpoint = { url: 'https://a.example/' }
  assert.not(endpointInput.safeParse({ ...endpoint, kind: 'token', token: forged }).success)
  assert.not(endpointInput.safeParse({ ...endpoint, headers: { 'x-key': forged } }).success)
  assert.not(instanceInput.safeParse({ ...ACCOUNT, secrets: { appSecret: forged } }).success)
})

test.run()
