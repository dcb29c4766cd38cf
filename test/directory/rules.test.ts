import * as assert from 'uvu/assert'
import {
  type BlockedVisitor,
  isBlocked,
  isOpen,
  type Visitor,
  windowFields,
} from '../../src/directory/entry-rules.ts'
import { directoryFile, parseDirectory } from '../../src/directory/file.ts'
import { callerNumber } from '../../src/directory/phone-number.ts'
import { decideEarly, exportRules, importRules, resolvePlan } from '../../src/directory/rules.ts'
import { exportDirectory, importDirectory } from '../../src/directory/sql/directory.ts'
import { countShutWindows, writeWindow } from '../../src/directory/sql/rules.ts'
import type { PorteiroError } from '../../src/platform/errors.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { unitOf } from '../rig/unit.ts'

const test = suite('directory rules')

const parse = (content: unknown) => parseDirectory(Buffer.from(JSON.stringify(content)))

const FILE = {
  tenant: {
    id: 'default',
    name: 'Ipê',
    trustsIntent: true,
    plan: [{ kind: 'call', ringSeconds: 20, attempts: 1 }, { kind: 'operator' }],
    blocked: [
      { phone: '(11) 98765-4321', reason: 'fez ameaças' },
      { name: 'João Silv*', until: '2026-12-31T21:00:00-03:00' },
    ],
    windows: [
      { weekdays: [5, 1, 1], from: '08:00', to: '18:00', timezone: 'America/Sao_Paulo', intent: 'delivery' },
    ],
  },
  units: [
    {
      number: '101',
      residents: [{ name: 'Ana' }],
      plan: [{ kind: 'whatsapp', ringSeconds: 60 }],
      blocked: [{ name: 'Ricardo' }],
    },
    {
      number: '102',
      residents: [],
      windows: [{ weekdays: [6], from: '22:00', to: '02:00', timezone: 'America/Sao_Paulo' }],
    },
    { number: '103', residents: [] },
  ],
}

async function openDirectory(rig: Rig, content: object = FILE) {
  const database = await openTestDatabase(rig)
  await load(database, content)
  const idOf = async (number: string) => (await unitOf(database, 'default', number))!.id
  return { database, idOf }
}

async function load(database: Database, content: object) {
  const { units, tenant, rules } = parse(content)
  await importDirectory(database, 'default', units, { ...(tenant && { tenant }) })
  await database.transaction((transaction) => importRules(transaction, 'default', rules ?? {}))
}

test('a file with rules comes back from the database as it was', async (rig) => {
  const { database } = await openDirectory(rig)
  const directory = (await exportDirectory(database, 'default'))!
  const rules = await exportRules(database, 'default')
  const { rules: given, ...rest } = parse(FILE)
  assert.equal(rules, given)
  assert.equal(parse(directoryFile(directory, rules)), { ...rest, rules: given, extensions: [] })
  assert.equal(rules?.tenant?.blocked?.[0]?.phone, '+5511987654321')
  assert.is(await exportRules(database, 'nobody'), undefined)
})

test('a file replaces the fields that it has, and leaves the others', async (rig) => {
  const { database, idOf } = await openDirectory(rig)
  const before = await exportRules(database, 'default')
  await load(database, { units: [{ number: '101', residents: [{ name: 'Ana' }], blocked: [] }] })
  const { units: { '101': ana, ...others } = {}, tenant } = (await exportRules(database, 'default'))!
  assert.equal(ana, { plan: [{ kind: 'whatsapp', ringSeconds: 60 }] })
  assert.equal([tenant, others], [before?.tenant, { '102': before?.units?.['102'] }])
  await importRules(database, 'default', {
    units: { '999': { blocked: [], windows: [], plan: [{ kind: 'call' }] } },
  })
  assert.equal((await exportRules(database, 'default'))?.tenant, before?.tenant)
  const plan = await resolvePlan(database, 'default', await idOf('101'))
  assert.is(plan.from, 'unit')
})

test("a unit's plan goes before the tenant's, and that before ringing everybody", async (rig) => {
  const { database, idOf } = await openDirectory(rig)
  const planOf = async (number: string) => resolvePlan(database, 'default', await idOf(number))
  assert.equal(await planOf('101'), {
    steps: [{ kind: 'whatsapp', ringSeconds: 60 }],
    from: 'unit',
    problem: null,
  })
  assert.equal(await planOf('103'), {
    steps: [{ kind: 'call', ringSeconds: 20, attempts: 1 }, { kind: 'operator' }],
    from: 'tenant',
    problem: null,
  })
  await database.query(`update tenants set settings = '{}'`)
  assert.equal(await planOf('103'), { steps: [{ kind: 'call' }], from: 'default', problem: null })
  assert.is((await resolvePlan(database, 'nobody', null)).from, 'default')
})

test('an unreadable plan is skipped and reported', async (rig) => {
  const { database, idOf } = await openDirectory(rig)
  await database.query(`update units set plan = '[{"kind":"pigeon"}]' where number = '101'`)
  const plan = await resolvePlan(database, 'default', await idOf('101'))
  assert.equal([plan.from, plan.problem], ['tenant', 'unit'])
})

test('rules decide early: a block first, then a window, else somebody is asked', async (rig) => {
  const { database, idOf } = await openDirectory(rig)
  // a Friday, 10:00 in São Paulo
  const friday = new Date('2026-11-20T13:00:00Z')
  const decide = async (number: string | null, visitor: Visitor, now = friday) => {
    const unitId = number === null ? null : await idOf(number)
    return (await decideEarly(database, 'default', unitId, visitor, now)).decision
  }
  assert.is(await decide('101', { name: 'Paulo', intent: 'delivery' }), 'authorized')
  assert.is(await decide('101', { name: 'Paulo', intent: 'visit' }), 'contact')
  assert.is(await decide('101', { name: 'Paulo' }), 'contact')
  assert.is(await decide('101', { name: 'Ricardo Lima', intent: 'delivery' }), 'blocked')
  assert.is(await decide('103', { name: 'Ricardo Lima', intent: 'delivery' }), 'authorized')
  assert.is(await decide('103', { phone: '11 8765-4321', intent: 'delivery' }), 'blocked')
  assert.is(await decide(null, { name: 'seu Joao Silveira' }), 'blocked')
  assert.is(await decide(null, { name: 'João Silveira' }, new Date('2027-01-01T12:00:00Z')), 'contact')
  // Saturday 23:00, and two hours later on Sunday
  assert.is(await decide('102', {}, new Date('2026-11-22T02:00:00Z')), 'authorized')
  assert.is(await decide('102', {}, new Date('2026-11-22T04:00:00Z')), 'authorized')
  assert.is(await decide('102', {}, new Date('2026-11-22T05:00:00Z')), 'contact')
  assert.is(await decide('103', {}, new Date('2026-11-22T02:00:00Z')), 'contact')
})

test('a stated intent opens only for a tenant that trusts it', async (rig) => {
  const { trustsIntent: _, ...tenant } = FILE.tenant
  const { database } = await openDirectory(rig, { ...FILE, tenant })
  const friday = new Date('2026-11-20T13:00:00Z')
  const decide = async () => {
    const visitor: Visitor = { name: 'Paulo', intent: 'delivery' }
    return (await decideEarly(database, 'default', null, visitor, friday)).decision
  }
  assert.is(await decide(), 'contact')
  assert.equal(await countShutWindows(database), { empty: 0, untrusted: 1 })
  assert.is((await exportDirectory(database, 'default'))?.tenant?.trustsIntent, undefined)
  await load(database, { tenant: { id: 'default', name: 'Ipê', trustsIntent: true }, units: [] })
  assert.is(await decide(), 'authorized')
  assert.equal(await countShutWindows(database, 'default'), { empty: 0, untrusted: 0 })
  assert.is((await exportDirectory(database, 'default'))?.tenant?.trustsIntent, true)
  // what a file leaves out stays
  await load(database, { tenant: { id: 'default', name: 'Ipê' }, units: [] })
  assert.is(await decide(), 'authorized')
})

test('a window that ends when it begins is refused in a file, and a stored one never opens', async (rig) => {
  const window = { weekdays: [1, 2, 3, 4, 5, 6, 7], from: '08:00', to: '08:00', timezone: 'UTC' }
  assert.throws(
    () => parse({ tenant: { id: 'default', name: 'Ipê', windows: [window] }, units: [] }),
    (error: PorteiroError) =>
      /windows\[0\]\.to: must differ from "from"/.test(String(error.details['problems'])),
  )
  const { database } = await openDirectory(rig, { units: [] })
  await writeWindow(database, { tenantId: 'default', unitId: null }, window)
  for (const time of ['2026-11-20T08:00:00Z', '2026-11-20T08:00:30Z', '2026-11-20T13:00:00Z'])
    assert.is((await decideEarly(database, 'default', null, {}, new Date(time))).decision, 'contact')
  assert.equal(await countShutWindows(database), { empty: 1, untrusted: 0 })
  assert.equal(await countShutWindows(database, 'other'), { empty: 0, untrusted: 0 })
})

test("a decision names its rule, with the operator's reason", async (rig) => {
  const { database } = await openDirectory(rig)
  const { rule } = await decideEarly(database, 'default', null, { phone: '+5511987654321' }, new Date())
  assert.equal([rule?.table, rule?.reason], ['block_list', 'fez ameaças'])
})

test("one tenant's rules are nobody else's", async (rig) => {
  const { database } = await openDirectory(rig)
  await importDirectory(database, 'ipe', [])
  const decision = await decideEarly(database, 'ipe', null, { phone: '+5511987654321' }, new Date())
  assert.equal(decision, { decision: 'contact' })
  assert.is((await resolvePlan(database, 'ipe', null)).from, 'default')
})

test('rules go with their unit', async (rig) => {
  const { database } = await openDirectory(rig)
  await database.query('delete from units')
  const [{ count }] = (await database.query<{ count: string }>(
    'select count(*) from (select unit_id from block_list union all select unit_id from auto_open_windows) r where unit_id is not null',
  )) as [{ count: string }]
  assert.is(count, '0')
})

test('each wrong rule of a file is reported with its path, and nothing is loaded', () => {
  const wrong = {
    tenant: {
      id: 'x',
      name: 'X',
      plan: [],
      blocked: [{}, { phone: 'abc' }, { name: '!' }, { name: 'A', until: 'soon' }],
    },
    units: [
      {
        number: '1',
        residents: [],
        plan: [{ kind: 'pigeon' }, { kind: 'call', ringSeconds: 1 }, { kind: 'whatsapp', attempts: 2 }],
        windows: [
          { weekdays: [0], from: '24:00', to: '8', timezone: 'Mars/Base', intent: 'party' },
          { weekdays: [], from: '00:00', to: '01:00', timezone: 'UTC' },
        ],
      },
    ],
  }
  let problems: string[] = []
  try {
    parse(wrong)
  } catch (error) {
    problems = (error as PorteiroError).details['problems'] as string[]
  }
  for (const place of [
    'tenant.plan: ',
    'tenant.blocked[0]: needs a phone or a name',
    'tenant.blocked[1].phone: must be a number',
    'tenant.blocked[2].name: must have a word',
    'tenant.blocked[3].until: ',
    'units[0].plan[0].kind: ',
    'units[0].plan[1].ringSeconds: ',
    'units[0].plan[2]: Unrecognized key: "attempts"',
    'units[0].windows[0].weekdays[0]: ',
    'units[0].windows[0].from: must be a time',
    'units[0].windows[0].to: must be a time',
    'units[0].windows[0].timezone: must be a time zone',
    'units[0].windows[0].intent: ',
    'units[0].windows[1].weekdays: ',
  ]) {
    assert.ok(
      problems.some((problem) => problem.startsWith(place)),
      `${place} in ${problems.join('; ')}`,
    )
  }
  assert.is(problems.length, 14, problems.join('; '))
})

test('a blocked name is whole words in their order, without accents; with a telephone both must fit', () => {
  const blocks = (rule: BlockedVisitor, visitor: Visitor) => isBlocked(rule, visitor, new Date())
  assert.ok(blocks({ name: 'joao silva' }, { name: 'Seu JOÃO SILVA Neto' }))
  assert.not(blocks({ name: 'Ana' }, { name: 'Mariana' }))
  assert.ok(blocks({ name: 'Ana*' }, { name: 'Anabela' }))
  assert.not(blocks({ name: 'joao silva' }, { name: 'João da Silva' }))
  assert.ok(blocks({ name: 'joao * silva' }, { name: 'João da Silva' }))
  // as a recogniser may write it, and as a list may have it
  assert.ok(blocks({ name: 'Thiago Souza' }, { name: 'Tiago Sousa' }))
  assert.ok(blocks({ name: 'Kátia W*' }, { name: 'Cátia Vasconcelos' }))
  assert.ok(blocks({ name: 'Аna' }, { name: 'Ana' }), 'a Cyrillic A')
  assert.not(blocks({ name: 'Ana' }, {}))
  assert.ok(blocks({ phone: '+5511*' }, { phone: '11 3333-4444' }))
  assert.not(blocks({ phone: '+5511*' }, { phone: '21 3333-4444' }))
  const both = { phone: '+5511987654321', name: 'Ana' }
  assert.not(blocks(both, { name: 'Ana' }))
  assert.ok(blocks(both, { name: 'Ana', phone: '+5511987654321' }))
})

test('windows follow the clocks of their time zone, summer time included', () => {
  const window = windowFields.parse({
    weekdays: [7],
    from: '08:00',
    to: '09:00',
    timezone: 'Europe/Lisbon',
  })
  const open = (at: string) => isOpen(window, {}, new Date(at))
  assert.equal([open('2026-03-22T08:00:00Z'), open('2026-03-22T07:59:59Z')], [true, false])
  // the clocks went forward in the night before
  assert.equal([open('2026-03-29T07:00:00Z'), open('2026-03-29T08:00:00Z')], [true, false])
  const week = { ...window, weekdays: [1, 2, 3, 4, 5, 6, 7], timezone: 'UTC' }
  const halves = [
    { ...week, from: '00:00', to: '12:00' },
    { ...week, from: '12:00', to: '00:00' },
  ]
  for (const time of ['00:00:00', '11:59:59', '12:00:00', '23:59:59']) {
    const at = new Date(`2026-01-01T${time}Z`)
    assert.is(halves.filter((half) => isOpen(half, {}, at)).length, 1)
    assert.not(isOpen({ ...week, from: '00:00', to: '00:00' }, {}, at))
  }
})

test('telephone numbers are one however they are written', () => {
  for (const written of [
    '+55 11 98765-4321',
    '11987654321',
    '(11) 8765-4321',
    '5511987654321',
    '+551187654321',
  ]) {
    assert.is(callerNumber(written), '+5511987654321', written)
  }
  assert.is(callerNumber('+1 415 555 2671'), '+14155552671')
  assert.is(callerNumber('sip:1101@pbx.local'), '1101')
  assert.is(callerNumber('1132123456'), '+551132123456')
  assert.is(callerNumber('anonymous'), undefined)
  assert.is(callerNumber(''), undefined)
})

test.run()
