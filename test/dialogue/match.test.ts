import * as assert from 'uvu/assert'
import { createDirectoryIndex, type IndexedUnit } from '../../src/dialogue/directory-index.ts'
import { type Match, matchUnit, type WantedUnit } from '../../src/dialogue/match.ts'
import { createMatcher } from '../../src/dialogue/matcher.ts'
import { directoryRevision, importDirectory, listUnits } from '../../src/directory/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import { suite } from '../rig/rig.ts'
import { thousandUnits } from '../rig/thousand-units.ts'

const test = suite('dialogue: the directory match')

let last = 0
const unit = (number: string, names: string[], block: string | null = null, label = number): IndexedUnit => ({
  id: `u${number}${block ?? ''}`,
  number,
  label,
  block,
  residents: names.map((name) => ({ id: `r${++last}`, name })),
})

const HOUSE = createDirectoryIndex([
  unit('101', ['Maria Aparecida da Silva', 'José Carlos da Silva'], 'A'),
  unit('102', ['João Pedro Oliveira'], 'A'),
  unit('103', ['Ana Beatriz Souza', 'Thiago Nascimento'], 'A'),
  unit('201', ['João Batista Ferreira']),
  unit('305', ['Mariana Costa', 'Kátia Lima']),
  unit('12B', ['Luiz Fernando Prado']),
  unit('13A', ['Rute Neves']),
  unit('13B', ['Davi Neves']),
  unit('900', [], null, 'Administração'),
])

const told = (match: Match<IndexedUnit>) =>
  match.kind === 'found'
    ? [match.unit.number, match.resident?.name ?? null, match.reason]
    : match.kind === 'unknown'
      ? [match.kind, match.reason]
      : [match.kind, match.candidates.map((candidate) => candidate.unit.number)]

const want = (wanted: WantedUnit) => told(matchUnit(HOUSE, wanted))

test('keys find the exact number, leading zeros and case apart', () => {
  assert.equal(want({ unit: '101' }), ['101', null, 'number'])
  assert.equal(want({ unit: '0101' }), ['101', null, 'number'])
  assert.equal(want({ unit: '12b' }), ['12B', null, 'number'])
  assert.equal(want({ unit: '999' }), ['unknown', 'no-such-unit'])
  assert.equal(want({ unit: '10' }), ['unknown', 'no-such-unit'])
  assert.equal(want({}), ['unknown', 'nothing-said'])
  assert.equal(want({ unit: ' ', resident: 'dona' }), ['unknown', 'nothing-said'])
})

test('a unit is found as it is said', () => {
  for (const said of [
    'cento e um',
    'apartamento cento e um',
    'um zero um',
    'apto 101 bloco A',
    '101A',
    'bloco a 101',
  ]) {
    assert.equal(want({ unit: said }), ['101', null, 'number'], said)
  }
  assert.equal(want({ unit: 'one oh one', locale: 'en' }), ['101', null, 'number'])
  // 21, which is not there; that 20 1 may be 201 does not count
  assert.equal(want({ unit: 'vinte um' }), ['unknown', 'no-such-unit'])
  assert.equal(want({ unit: 'na administracao' }), ['900', null, 'label'])
})

test('a block tells units of one number apart, and a wrong one is not ignored', () => {
  assert.equal(want({ unit: '13', block: 'B' }), ['13B', null, 'number'])
  assert.equal(want({ unit: 'treze bloco b' }), ['13B', null, 'number'])
  assert.equal(want({ unit: '13' }), ['ambiguous', ['13A', '13B']])
  assert.equal(want({ unit: '12' }), ['unknown', 'no-such-unit'])
  assert.equal(want({ unit: '12', resident: 'Luiz Fernando' }), [
    '12B',
    'Luiz Fernando Prado',
    'number-and-resident',
  ])
  assert.equal(want({ unit: '101 bloco C' }), ['unknown', 'no-such-unit'])
  // this unit is in no block at all, and others are
  assert.equal(want({ unit: '201 bloco C' }), ['unknown', 'no-such-unit'])
  const plain = createDirectoryIndex([unit('201', ['Ana'])])
  assert.equal(told(matchUnit(plain, { unit: '201 bloco C' })), ['201', null, 'number-part'])
})

test('a resident is found by a part of the name, misspelt, with a title, in any order', () => {
  for (const said of [
    'Ana Beatriz',
    'ana beatris sousa',
    'dona Ana Beatriz',
    'souza ana',
    'Ana Souza',
    'anabeatriz',
  ]) {
    assert.equal(want({ resident: said }), ['103', 'Ana Beatriz Souza', 'resident'], said)
  }
  assert.equal(want({ resident: 'Tiago' }), ['103', 'Thiago Nascimento', 'resident'])
  assert.equal(want({ resident: 'seu Luís Fernando' }), ['12B', 'Luiz Fernando Prado', 'resident'])
  assert.equal(want({ resident: 'Catia Lima' }), ['305', 'Kátia Lima', 'resident'])
})

test('a name inside another name is not that name', () => {
  assert.equal(want({ resident: 'Ana' }), ['103', 'Ana Beatriz Souza', 'resident'])
  assert.equal(want({ resident: 'Roberto' }), ['unknown', 'no-such-resident'])
  assert.equal(want({ resident: 'li' }), ['unknown', 'no-such-resident'])
})

test('what fits several units is given back as ambiguous, best first', () => {
  assert.equal(want({ resident: 'João' }), ['ambiguous', ['102', '201']])
  assert.equal(want({ resident: 'João Batista' }), ['201', 'João Batista Ferreira', 'resident'])
  assert.equal(want({ resident: 'Neves' }), ['ambiguous', ['13A', '13B']])
})

test('two residents of one unit that fit alike give the unit, and none of them', () => {
  assert.equal(want({ resident: 'Silva' }), ['101', null, 'resident'])
  assert.equal(want({ unit: '101', resident: 'Silva' }), ['101', null, 'number-and-resident'])
})

test('number and name together: the name chooses, an unknown one is no obstacle, a contradiction is reported', () => {
  assert.equal(want({ unit: '101', resident: 'José' }), [
    '101',
    'José Carlos da Silva',
    'number-and-resident',
  ])
  assert.equal(want({ unit: '13', resident: 'Davi' }), ['13B', 'Davi Neves', 'number-and-resident'])
  assert.equal(want({ unit: '101', resident: 'Zezinho' }), ['101', null, 'number'])
  assert.equal(want({ unit: '101', resident: 'Mariana Costa' }), ['contradiction', ['101', '305']])
  assert.equal(want({ unit: '999', resident: 'Mariana Costa' }), ['305', 'Mariana Costa', 'resident'])
})

test('the residents of a match are all there, in their order', () => {
  const match = matchUnit(HOUSE, { unit: '101', resident: 'José' })
  assert.is(match.kind, 'found')
  if (match.kind !== 'found') return
  assert.equal(
    match.unit.residents.map(({ name }) => name),
    ['Maria Aparecida da Silva', 'José Carlos da Silva'],
  )
  assert.is(match.score, 100)
})

test('a unit and its residents are found among 1,000, and who is not there is not', () => {
  const index = createDirectoryIndex(thousandUnits())
  const asked = (wanted: WantedUnit) => {
    const match = matchUnit(index, wanted)
    return match.kind === 'found' ? match.unit.number : match.kind
  }
  assert.equal(
    [{ unit: '501' }, { unit: 'apartamento quinhentos e um' }, { resident: 'Kjhgf Qwert' }].map(asked),
    ['501', '501', 'unknown'],
  )
})

test('follows the directory in Postgres: built once, and again after any change', async (rig) => {
  const database = await openTestDatabase(rig)
  const entry = (number: string, ...names: string[]) => ({
    number,
    residents: names.map((name) => ({ name })),
  })
  await importDirectory(database, 'default', [entry('101', 'Ana'), entry('102', 'Bia')])
  let loads = 0
  const matcher = createMatcher({
    revision: (tenantId) => directoryRevision(database, tenantId),
    load: (tenantId) => {
      loads += 1
      return listUnits(database, tenantId)
    },
  })
  const found = async (wanted: WantedUnit) => {
    const match = await matcher.match('default', wanted)
    return match.kind === 'found' ? match.unit.number : match.kind
  }
  assert.equal(await Promise.all([found({ unit: '101' }), found({ resident: 'Bia' })]), ['101', '102'])
  assert.is(await found({ unit: '102' }), '102')
  assert.is(loads, 1)
  await importDirectory(database, 'default', [entry('101', 'Ana'), entry('102', 'Caio')])
  assert.is(await found({ resident: 'Caio' }), '102')
  assert.is(loads, 2)
  await database.query(`update residents set name = 'Davi' where name = 'Ana'`)
  assert.is(await found({ resident: 'Davi' }), '101')
  await database.query(`delete from units where number = '101'`)
  assert.is(await found({ unit: '101' }), 'unknown')
  await importDirectory(database, 'other', [entry('1', 'Eva')])
  assert.is(await found({ unit: '102' }), '102')
  assert.is(loads, 4)
})

test('goes on with what it knows while the directory does not answer, and says so', async () => {
  let away = false
  const stale: unknown[] = []
  const answer = async <T>(value: T): Promise<T> => {
    if (away) throw new Error('away')
    return value
  }
  const matcher = createMatcher({
    revision: () => answer('1'),
    load: () => answer([unit('101', ['Ana'])]),
    onStale: (tenantId) => stale.push(tenantId),
  })
  await matcher.match('default', { unit: '101' })
  away = true
  assert.is((await matcher.match('default', { unit: '101' })).kind, 'found')
  assert.equal(stale, ['default'])
  const unread = await matcher.match('other', { unit: '101' }).catch((error) => error)
  assert.is(unread.message, 'away')
})

test.run()
