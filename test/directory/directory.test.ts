import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { directoryFile, parseDirectory } from '../../src/directory/file.ts'
import { exportRules } from '../../src/directory/rules.ts'
import {
  exportDirectory,
  findUnit,
  findUnits,
  importDirectory,
  listExtensions,
  readAnswerRules,
  type UnitEntry,
} from '../../src/directory/sql/directory.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { openTestDatabase } from '../rig/database.ts'
import { suite } from '../rig/rig.ts'
import { unitOf } from '../rig/unit.ts'

const test = suite('directory')
const EXAMPLE = new URL('../../examples/condominium.json', import.meta.url)

const parse = (content: unknown) =>
  parseDirectory(Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)))

function problemsOf(content: unknown): string[] {
  try {
    if (content instanceof Uint8Array) parseDirectory(content)
    else parse(content)
  } catch (error) {
    assert.instance(error, PorteiroError)
    assert.is((error as PorteiroError).code, 'DIRECTORY_INVALID')
    const { problems, count } = (error as PorteiroError).details as { problems: string[]; count: number }
    assert.is(count, problems.length)
    return problems
  }
  throw new Error('nothing was wrong')
}

const unit = (number: string, ...names: string[]): UnitEntry => ({
  number,
  residents: names.map((name) => ({ name })),
})

test('comes back from the database as the example file has it', async (rig) => {
  const database = await openTestDatabase(rig)
  const file = parseDirectory(await readFile(EXAMPLE))
  const { units, tenant, extensions } = file
  const report = await importDirectory(database, 'default', units, {
    tenant: tenant!,
    extensions: extensions!,
  })
  assert.equal(report, { units: 10, residents: 16, added: 10, changed: 0, removed: 0 })
  const exported = await exportDirectory(database, 'default')
  assert.equal(exported, file)
  assert.equal(parse(exported), file)
  assert.equal((await listExtensions(database))[0]?.condominio_id, 'default')
})

test('finds a unit as people dial it', async (rig) => {
  const database = await openTestDatabase(rig)
  await importDirectory(database, 'default', [
    unit('101', 'Ana'),
    unit('0202', 'Bia'),
    unit('202', 'Caio'),
    unit('12b', 'Davi'),
  ])
  const number = async (dialled: string) => (await unitOf(database, 'default', dialled))?.number
  assert.is(await number('0101'), '101')
  assert.is(await number('101'), '101')
  assert.is(await number('0202'), '0202')
  assert.is(await number('202'), '202')
  assert.is(await number('12B'), '12b')
  assert.is(await number('10'), undefined)
  assert.is(await number('1010'), undefined)
  assert.is(await number(''), undefined)
  assert.is(await unitOf(database, 'other', '101'), undefined)
})

test('gives residents in the order of the file, with what is needed to reach them', async (rig) => {
  const database = await openTestDatabase(rig)
  const residents = [
    { name: 'Zélia', phone: 'sip:1101@pbx.local' },
    { name: 'Ana', whatsapp: '+5511987654321', notify: false },
  ]
  await importDirectory(database, 'default', [{ number: '101', block: 'A', label: 'cento e um', residents }])
  const found = await unitOf(database, 'default', '101')
  assert.equal([found?.block, found?.label], ['A', 'cento e um'])
  assert.type(found?.id, 'string')
  assert.equal(
    found?.residents.map(({ id: _, ...rest }) => rest),
    [
      { name: 'Zélia', phone: 'sip:1101@pbx.local', whatsapp: null, notify: true },
      { name: 'Ana', phone: null, whatsapp: '+5511987654321', notify: false },
    ],
  )
})

test('changes only the units that differ, and removes only when asked', async (rig) => {
  const database = await openTestDatabase(rig)
  await importDirectory(database, 'default', [unit('101', 'Ana'), unit('102', 'Bia'), unit('103', 'Caio')])
  const untouched = await unitOf(database, 'default', '101')
  const next = [unit('101', 'Ana'), unit('102', 'Bia', 'Davi'), unit('104')]
  const report = await importDirectory(database, 'default', next)
  assert.equal(report, { units: 3, residents: 3, added: 1, changed: 1, removed: 0 })
  assert.equal(await unitOf(database, 'default', '101'), untouched)
  assert.ok(await unitOf(database, 'default', '103'))
  const replaced = await importDirectory(database, 'default', next, { replace: true })
  assert.equal(replaced, { units: 3, residents: 3, added: 0, changed: 0, removed: 1 })
  assert.equal((await exportDirectory(database, 'default'))?.units, next)
})

const door = (number: string, block?: string, tower?: string, ...names: string[]): UnitEntry => ({
  ...unit(number, ...names),
  ...(block !== undefined && { block }),
  ...(tower !== undefined && { tower }),
})

const places = (units: readonly UnitEntry[]) =>
  units.map(({ number, block, tower }) =>
    [number, block, tower].filter((part) => part !== undefined).join(' '),
  )

test('one number may be in several blocks and towers', async (rig) => {
  const database = await openTestDatabase(rig)
  const file = parse({
    units: [
      door('101', '1', undefined, 'Ana'),
      door('101', '2', undefined, 'Bia'),
      door('101', '2', 'Norte', 'Caio'),
      door('102', '1', undefined, 'Davi'),
    ],
  })
  const report = await importDirectory(database, 'default', file.units)
  assert.equal(report, { units: 4, residents: 4, added: 4, changed: 0, removed: 0 })
  assert.equal((await exportDirectory(database, 'default'))?.units, file.units)
  const found = await findUnits(database, 'default', '0101')
  assert.equal(
    found.map(({ number, block, tower, residents }) => [number, block, tower, residents[0]?.name]),
    [
      ['101', '1', null, 'Ana'],
      ['101', '2', null, 'Bia'],
      ['101', '2', 'Norte', 'Caio'],
    ],
  )
  assert.is((await findUnit(database, 'default', found[2]!.id))?.residents[0]?.name, 'Caio')
  assert.is(await findUnit(database, 'other', found[1]!.id), undefined)
  const again = await importDirectory(database, 'default', file.units, { replace: true })
  assert.equal(again, { units: 4, residents: 4, added: 0, changed: 0, removed: 0 })
})

test('a block that becomes known changes the unit; another block is another unit', async (rig) => {
  const database = await openTestDatabase(rig)
  const load = async (units: UnitEntry[], replace = false) => {
    const { added, changed, removed } = await importDirectory(database, 'default', units, { replace })
    return [added, changed, removed]
  }
  const stored = async () => places((await exportDirectory(database, 'default'))!.units)
  assert.equal(await load([door('101')]), [1, 0, 0])
  const { id } = (await unitOf(database, 'default', '101'))!
  assert.equal(await load([door('101', '1')]), [0, 1, 0])
  assert.is((await unitOf(database, 'default', '101'))?.id, id)
  assert.equal(await load([door('101', 'Bloco 01')]), [0, 1, 0])
  assert.equal(await load([door('101', '2')]), [1, 0, 0])
  assert.equal(await stored(), ['101 2', '101 Bloco 01'])
  // which of them would it be?
  assert.equal(await load([door('101')]), [1, 0, 0])
  assert.equal(await load([door('101', '2')], true), [0, 0, 2])
  assert.equal(await stored(), ['101 2'])
})

test('rules go with the unit of their block', async (rig) => {
  const database = await openTestDatabase(rig)
  const blocked = [{ name: 'fulano' }]
  const content = {
    units: [{ ...door('101', '1'), blocked }, door('101', '2'), { ...door('102', '1'), blocked }],
  }
  const { units, rules } = parse(content)
  await importDirectory(database, 'default', units, { rules: rules! })
  const exported = directoryFile(
    (await exportDirectory(database, 'default'))!,
    await exportRules(database, 'default'),
  )
  assert.equal((exported as typeof content).units, content.units)
  assert.equal(parse(exported).rules, rules)
})

test('an older version never takes one of several units for another', async (rig) => {
  const database = await openTestDatabase(rig)
  await importDirectory(database, 'default', [door('101', '1'), door('101', '2'), door('102', '1')])
  // as it asks and writes
  const ask = (number: string) =>
    database.query(
      `select number from units where tenant_id = 'default' and ltrim(upper(number), '0') = $1`,
      [number],
    )
  assert.equal(await ask('101'), [])
  assert.equal(await ask('102'), [{ number: '102' }])
  await database.query(
    `insert into units (tenant_id, number, block, label) values ('default', '102', '7', '102')
     on conflict (tenant_id, number) do update set block = excluded.block, label = excluded.label`,
  )
  assert.equal(places((await exportDirectory(database, 'default'))!.units), ['101 1', '101 2', '102 7'])
  // once there is one of them, it can be dialled again
  await importDirectory(database, 'default', [door('101', '2')], { replace: true })
  assert.equal(await ask('101'), [{ number: '101' }])
})

test('keeps tenants apart', async (rig) => {
  const database = await openTestDatabase(rig)
  await importDirectory(database, 'ipe', [unit('101', 'Ana')], { tenant: { id: 'ipe', name: 'Ipê' } })
  await importDirectory(database, 'default', [unit('101', 'Bia')], { replace: true })
  assert.is((await unitOf(database, 'ipe', '101'))?.residents[0]?.name, 'Ana')
  assert.is(await exportDirectory(database, 'nobody'), undefined)
})

test('a file says what opens for its tenant, and a file that does not say leaves it', async (rig) => {
  const database = await openTestDatabase(rig)
  const read = (tenant: object) => parseDirectory(Buffer.from(JSON.stringify({ tenant, units: [] })))
  const load = async (tenant: object) => {
    const { units, ...more } = read({ id: 'ipe', name: 'Ipê', ...tenant })
    await importDirectory(database, 'ipe', units, { tenant: more.tenant! })
    return (await exportDirectory(database, 'ipe'))!.tenant
  }
  assert.equal(await load({}), { id: 'ipe', name: 'Ipê' })
  assert.equal(await load({ opensBy: 'key' }), { id: 'ipe', name: 'Ipê', opensBy: 'key' })
  assert.equal(await load({}), { id: 'ipe', name: 'Ipê', opensBy: 'key' })
  assert.equal(await load({ opensBy: 'key-and-voice' }), { id: 'ipe', name: 'Ipê' })
  assert.throws(
    () => read({ id: 'ipe', name: 'Ipê', opensBy: 'voice' }),
    (error: PorteiroError) => /tenant\.opensBy/.test(String(error.details['problems'])),
  )
})

test('a file says how answers are checked, and a file that does not say leaves it', async (rig) => {
  const database = await openTestDatabase(rig)
  const read = (tenant: object) => parseDirectory(Buffer.from(JSON.stringify({ tenant, units: [] })))
  const load = async (tenant: object) => {
    const { units, ...more } = read({ id: 'ipe', name: 'Ipê', ...tenant })
    await importDirectory(database, 'ipe', units, { tenant: more.tenant! })
    return (await exportDirectory(database, 'ipe'))!.tenant
  }
  const own = { answerCheck: 'key', leaveMessage: true, afterTalk: 'next' }
  assert.equal(await load({}), { id: 'ipe', name: 'Ipê' })
  assert.equal(await readAnswerRules(database, 'ipe'), {
    answerCheck: 'natural',
    leavesMessage: false,
    afterTalk: 'end',
  })
  assert.equal(await load(own), { id: 'ipe', name: 'Ipê', ...own })
  assert.equal(await load({}), { id: 'ipe', name: 'Ipê', ...own })
  assert.equal(await readAnswerRules(database, 'ipe'), {
    answerCheck: 'key',
    leavesMessage: true,
    afterTalk: 'next',
  })
  assert.equal(await load({ answerCheck: 'natural', leaveMessage: false, afterTalk: 'end' }), {
    id: 'ipe',
    name: 'Ipê',
  })
  for (const wrong of [{ answerCheck: 'voice' }, { leaveMessage: 'yes' }, { afterTalk: 'more' }])
    assert.throws(
      () => read({ id: 'ipe', name: 'Ipê', ...wrong }),
      (error: PorteiroError) => String(error.details['problems']).includes(`tenant.${Object.keys(wrong)[0]}`),
    )
})

test('loads nothing when a gate belongs to another tenant', async (rig) => {
  const database = await openTestDatabase(rig)
  const gate = {
    id: 'g',
    ramal_ia: '1',
    ramal_retorno: '2',
    ip_servidor: '::1',
    porta_ia: 1,
    porta_retorno: 2,
  }
  await importDirectory(database, 'ipe', [], { extensions: [gate] })
  const refused = await importDirectory(database, 'default', [unit('101')], { extensions: [gate] }).catch(
    (error) => error,
  )
  assert.is(refused.code, 'DIRECTORY_INVALID')
  assert.is(await unitOf(database, 'default', '101'), undefined)
})

test('two imports at once leave one whole directory', async (rig) => {
  const database = await openTestDatabase(rig)
  const lists = ['Ana', 'Bia'].map((name) => ['1', '2', '3'].map((number) => unit(number, name)))
  await Promise.all(lists.map((list) => importDirectory(database, 'default', list, { replace: true })))
  const { units } = (await exportDirectory(database, 'default'))!
  assert.is(new Set(units.map(({ residents }) => residents.map(({ name }) => name).join())).size, 1)
})

test('reads the legacy list, its number serving the residents that have none', () => {
  const directory = parse([
    {
      apartment_number: 101,
      residents: ['Ana', { name: 'Bia', phone: '1102' }],
      voip_number: 'sip:101@host',
      floor: 1,
    },
    { apartment_number: '102', residents: [], voip_number: 102 },
    { apartment_number: '103', residents: ['Caio'] },
  ])
  assert.equal(directory, {
    units: [
      {
        number: '101',
        residents: [
          { name: 'Ana', phone: 'sip:101@host' },
          { name: 'Bia', phone: '1102' },
        ],
      },
      { number: '102', residents: [{ name: '102', phone: '102' }] },
      { number: '103', residents: [{ name: 'Caio' }] },
    ],
  })
})

test('reads a file with a byte order mark, numbers without quotes, nulls, and numbers as people write them', () => {
  const content =
    '\ufeff{"units":[{"number":7,"block":null,"residents":[{"name":" Ana ","phone":"+55 (11) 98765-4321","whatsapp":"55 11 98765-4321"}]}]}'
  const resident = { name: 'Ana', phone: '+5511987654321', whatsapp: '+5511987654321' }
  assert.equal(parse(content), { units: [{ number: '7', residents: [resident] }] })
})

test('reports every problem with its path', () => {
  const problems = problemsOf({
    units: [
      { number: '1 1', residents: [{ name: '', nome: 'Ana' }] },
      {
        number: '2',
        residents: [{ name: 'Bia', phone: 'abc', whatsapp: '12' }, { name: 'Caio' }, { name: 'Caio' }],
      },
      { number: 2, residents: [] },
      { number: '3' },
    ],
    extensions: [
      { id: 'g', ramal_ia: '1', ramal_retorno: '2', ip_servidor: 'h', porta_ia: 0, porta_retorno: 0 },
    ],
    unidades: [],
  })
  const places = [
    'units[0].number: must be 1 to 16 digits or letters',
    'units[0].residents[0].name: is empty',
    'units[0].residents[0]: Unrecognized key: "nome"',
    'units[1].residents[0].phone: must be',
    'units[1].residents[0].whatsapp: must be',
    'units[3].residents: expected array',
    'extensions[0].porta_ia: ',
    'extensions[0].porta_retorno: Too small',
    'the file: Unrecognized key: "unidades"',
    'units[1].residents[2].name: repeats units[1].residents[1].name',
    'units[2].number: repeats units[1].number',
    'extensions[0].porta_retorno: repeats extensions[0].porta_ia',
  ]
  for (const place of places) {
    assert.ok(
      problems.some((problem) => problem.startsWith(place)),
      `${place} in ${problems.join('; ')}`,
    )
  }
  assert.is(problems.length, places.length)
})

test('reports problems of the legacy list by its own names', () => {
  assert.equal(
    problemsOf([
      { apartment_number: '1', residents: [''] },
      { apartment_number: '1', residents: [] },
    ]),
    ['[0].residents[0]: is empty (line 1)', '[1].apartment_number: repeats [0].apartment_number (line 1)'],
  )
})

test('names the line where a file stops being JSON', () => {
  assert.equal(problemsOf('{\n "units": [\n  {"number": x}]}'), ['line 3, column 14: not JSON from here on'])
  assert.equal(problemsOf('{\n "units": [] } }'), ['line 2, column 16: not JSON from here on'])
  assert.equal(problemsOf('{"units": ['), ['line 1, column 12: not JSON from here on'])
  assert.equal(problemsOf(''), ['line 1, column 1: not JSON from here on'])
})

test('finds where a file stops being JSON, whatever breaks it', () => {
  const places: [text: string, line: number, column: number][] = [
    ['{"a": 1,}', 1, 9],
    ['[1 2]', 1, 4],
    ['[tru]', 1, 5],
    ['[01]', 1, 3],
    ['[1.]', 1, 4],
    ['["\\x"]', 1, 4],
    ['["\\u12g"]', 1, 7],
    ['["a\nb"]', 1, 4],
    ['{"a"\n"b"}', 2, 1],
    ['{1: 2}', 1, 2],
    ['[}', 1, 2],
    ['"open', 1, 6],
  ]
  for (const [text, line, column] of places)
    assert.equal(problemsOf(text), [`line ${line}, column ${column}: not JSON from here on`], text)
})

const FIVE_MB = 5 * 1024 * 1024
const UNIT_LINE = '{"number": "101", "residents": [{"name": "Ana \\"Nina\\""}]},\n'

test('parses a large broken file once', () => {
  const lines = Math.floor(FIVE_MB / UNIT_LINE.length)
  const text = `{"units": [\n${UNIT_LINE.repeat(lines)}  {"number": x}]}`
  const { parse } = JSON
  let parses = 0
  JSON.parse = (...given) => {
    parses += 1
    return parse(...given)
  }
  try {
    assert.equal(problemsOf(text), [`line ${lines + 2}, column 14: not JSON from here on`])
  } finally {
    JSON.parse = parse
  }
  assert.is(parses, 1)
})

test('names the lines of every problem of a large file, on one line or nested deep', () => {
  const units = Array.from({ length: 20_000 }, (_, at) => ({ number: `${at}!`, residents: [] }))
  const problems = problemsOf(JSON.stringify({ units }))
  assert.is(problems.length, units.length)
  assert.match(problems.at(-1)!, /^units\[19999\]\.number: .* \(line 1\)$/)
  const depth = 500_000
  assert.match(problemsOf(`[\n${'['.repeat(depth)}${']'.repeat(depth)}]`)[0]!, /\(line 2\)$/)
})

test('names the line that is not UTF-8', () => {
  const latin1 = Buffer.from('{\n"units":[{"number":"1","residents":[{"name":"Jo\xe3o"}]}]}', 'latin1')
  assert.match(problemsOf(latin1)[0]!, /^line 2: not UTF-8/)
  assert.match(problemsOf(Buffer.from('\ufeff{}', 'utf16le'))[0]!, /UTF-16/)
})

test('meets any JSON at all with a directory or with problems', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (json) => {
      try {
        parse(json)
      } catch (error) {
        if ((error as PorteiroError).code !== 'DIRECTORY_INVALID') throw error
      }
    }),
  )
})

test.run()
