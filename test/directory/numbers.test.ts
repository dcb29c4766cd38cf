import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { openDirectoryFile, parseDirectory, readResidents } from '../../src/directory/file.ts'
import { type Country, canonicalNumber, nationalTwin, readNumber } from '../../src/directory/phone-number.ts'
import { exportDirectory, importDirectory } from '../../src/directory/sql/directory.ts'
import { confirmNumbers, holdsNumber, listHeldNumbers } from '../../src/directory/sql/numbers.ts'
import { findUnreached } from '../../src/directory/sql/unreached.ts'
import type { PorteiroError } from '../../src/platform/errors.ts'
import { openTestDatabase } from '../rig/database.ts'
import { suite } from '../rig/rig.ts'
import { unitOf } from '../rig/unit.ts'

const test = suite('directory numbers')

const ANA = '+5511987654321'

/** As written in Brazil, and as kept; null is refused. */
const BRAZILIAN: [written: string, kept: string | null][] = [
  // national
  ['(11) 98765-4321', ANA],
  ['11.98765.4321', ANA],
  ['11 98765 4321', ANA],
  ['11\u00a098765\u20114321', ANA],
  ['\u202a+55 11 98765\u20114321\u202c', ANA],
  ['１１９８７６５４３２１', ANA],
  ['(11) 8765-4321', ANA],
  ['1187654321', ANA],
  ['(51) 8765-4321', '+5551987654321'],
  ['55 8765-4321', '+5555987654321'],
  ['11 3456-7890', '+551134567890'],
  ['(47) 99123-4567', '+5547991234567'],
  ['65 91234567', '+5565991234567'],
  ['041 11 98765-4321', ANA],
  ['0 21 11 98765 4321', ANA],
  ['11 9 8765 4321', ANA],
  ['5198765-4321', '+5551987654321'],
  ['5555987654321', '+5555987654321'],
  ['55987654321', '+5555987654321'],
  ['55 3221-1234', '+555532211234'],
  ['(51)3333.4444', '+555133334444'],
  ['(20) 98765-4321', null],
  ['(23) 98765-4321', null],
  ['(11) 18765-4321', null],
  ['(11) 98765-43210', null],
  ['54 9 11 1234 5678', null],
  ['0155511987654321', null],
  ['11 0 98765-4321', null],
  // trunk and carrier
  ['0 11 98765-4321', ANA],
  ['(011) 98765-4321', ANA],
  ['011 8765-4321', ANA],
  ['0 15 11 98765-4321', ANA],
  ['017 11 98765-4321', ANA],
  ['021 11 8765-4321', ANA],
  ['031 (51) 98765-4321', '+5551987654321'],
  ['051 98765-4321', '+5551987654321'],
  // with the country's code
  ['55 11 98765-4321', ANA],
  ['55 11 8765-4321', ANA],
  ['55 011 98765-4321', ANA],
  ['+55 11 98765-4321', ANA],
  ['(+55) 11 98765-4321', ANA],
  ['+55 (011) 98765-4321', ANA],
  ['+55 015 11 98765-4321', ANA],
  ['+ 55 11 8765 4321', ANA],
  ['tel:+55-11-98765-4321', ANA],
  ['whatsapp:+5511987654321', ANA],
  ['(esposa) 11 98765-4321', ANA],
  ['11 98765-4321 (só à noite)', ANA],
  // foreign, with a plus alone
  ['+51 987 654 321', '+51987654321'],
  ['+44 (0)7911 123456', '+447911123456'],
  ['+54 9 11 2345-6789', '+5491123456789'],
  ['51 987 654 321', '+5551987654321'],
  ['351 912 345 678', null],
  ['12125550100', null],
  // no number
  ['3456-7890', null],
  ['4004-1234', null],
  ['20 98765-4321', null],
  ['11 88765-4321', null],
  ['11 98765-43210', null],
  ['11 98765-432', null],
  ['11 9876-5432', '+5511998765432'],
  ['1198765432', '+5511998765432'],
  ['+55 98765-4321', null],
  ['+11 98765-4321', null],
  ['+0 11 98765-4321', null],
  ['++55 11 98765-4321', null],
  ['00 55 11 98765-4321', null],
  ['0021 1 212 555 0100', null],
  ['90 90 11 98765-4321', null],
  ['11 98765-4321 ramal 12', null],
  ['11 98765-4321 (ramal 12)', null],
  ['+5511987654321;ext=5', null],
  ['11 98765-4321 / 11 91234-5678', null],
  // another person's, if the slip were not seen
  ['(11) 9 8765-432', null],
  ['021 98765-43210', null],
  ['55 98765-43210', null],
  ['01 98765-4321', null],
  ['0 9 11 98765-4321', null],
  ['0151187654321', null],
  // no carrier has a 0: it is the prefix for abroad
  ['00 11 98765-4321', null],
  ['0051 987 654 321', null],
  ['0044 7911 123456', null],
  ['+55 00 11 98765-4321', null],
  ['11 98765-432l', null],
  ['11 98765-432O', null],
  ['11 98765-4321\u0000', null],
  ['1,1987654321e10', null],
  ['sip:1101@pbx.local', null],
  ['-', null],
  ['+', null],
]

const FOREIGN: [country: Country, written: string, kept: string | null][] = [
  ['PT', '912 345 678', '+351912345678'],
  ['PT', '00351 912 345 678', '+351912345678'],
  ['PT', '0055 11 98765-4321', ANA],
  ['PT', '11 98765-4321', null],
  ['PT', '+55 11 8765-4321', ANA],
  ['US', '(212) 555-0100', '+12125550100'],
  ['US', '1 212 555 0100', '+12125550100'],
  ['US', '011 55 11 98765-4321', ANA],
  ['AR', '011 15-2345-6789', '+5491123456789'],
  ['PE', '987 654 321', '+51987654321'],
  ['GB', '07911 123456', '+447911123456'],
]

test('reads numbers as people write them, and refuses what is none', async () => {
  for (const [written, kept] of BRAZILIAN) assert.is(readNumber(written) ?? null, kept, written)
  for (const [country, written, kept] of FOREIGN)
    assert.is(readNumber(written, country) ?? null, kept, `${country}: ${written}`)
})

test('a directory has no number but that which was written', async () => {
  const { forms } = JSON.parse(await readFile(new URL('numbers.json', import.meta.url), 'utf8')) as {
    forms: { written: string | null; kept: string | null }[]
  }
  for (const { written, kept } of forms) {
    const file = JSON.stringify(
      { units: [{ number: '1', residents: [{ name: 'Ana', whatsapp: written }] }] },
      null,
      1,
    )
    try {
      const { units } = parseDirectory(Buffer.from(file))
      assert.is(units[0]?.residents[0]?.whatsapp ?? 'absent', kept, String(written))
    } catch (error) {
      const { details } = error as PorteiroError
      assert.equal([kept, (details['problems'] as string[]).length], [null, 1], String(written))
      assert.match(
        String(details['problems']),
        /^units\[0\]\.residents\[0\]\.whatsapp: must be a valid number of BR .+ \(line 8\)$/,
      )
    }
  }
})

test('a service is no resident', () => {
  for (const whatsapp of [
    '0800 701 2345',
    '0300 123 4567',
    '+55 800 701 2345',
    '+1 900 555 1234',
    '+800 1234 5678',
  ]) {
    const file = { units: [{ number: '1', residents: [{ name: 'Ana', whatsapp }] }] }
    assert.throws(() => parseDirectory(Buffer.from(JSON.stringify(file))), /1 problem/, whatsapp)
    assert.is(readResidents([{ name: 'Ana', whatsapp }], 'BR').problems.length, 1, whatsapp)
  }
  // one may be written to, and called
  assert.is(readNumber('0800 701 2345'), '+558007012345')
})

test('reads numbers as the country of the file or of the tenant writes them', () => {
  const units = [{ number: '1', residents: [{ name: 'Ana', whatsapp: '912 345 678', phone: '912345678' }] }]
  const kept = [{ name: 'Ana', whatsapp: '+351912345678', phone: '912345678' }]
  const file = (tenant?: object) => openDirectoryFile(Buffer.from(JSON.stringify({ tenant, units })))
  assert.equal(file().read('PT').units[0]?.residents, kept)
  assert.equal(file({ id: 'x', name: 'X', country: 'PT' }).read('BR').units[0]?.residents, kept)
  assert.throws(() => file().read(), /1 problem/)
  assert.throws(() => file({ id: 'x', name: 'X', country: 'Portugal' }).read('PT'), /1 problem/)
})

test('an extension, a SIP address and what is dialled stay what they are', () => {
  const phones = [
    ['1101', '1101'],
    [1101, '1101'],
    ['0', '0'],
    ['sip:1101@pbx.local', 'sip:1101@pbx.local'],
    ['sips:ana@pbx.local:5061', 'sips:ana@pbx.local:5061'],
    ['011 98765-4321', '011987654321'],
    ['+55 (11) 8765-4321', ANA],
    ['', undefined],
  ] as const
  const residents = phones.map(([phone], at) => ({ name: `Ana ${at}`, phone }))
  const { units } = parseDirectory(Buffer.from(JSON.stringify({ units: [{ number: '1', residents }] })))
  assert.equal(
    units[0]?.residents.map(({ phone }) => phone),
    phones.map(([, kept]) => kept),
  )
  for (const phone of ['+11 98765-4321', '+5511', 'ana', '1101;2', 'sip:1101', 1.5, -1]) {
    const file = { units: [{ number: '1', residents: [{ name: 'Ana', phone }] }] }
    assert.throws(() => parseDirectory(Buffer.from(JSON.stringify(file))), /1 problem/, String(phone))
  }
})

test('text has no invisible marks, and no control characters', () => {
  const named = (name: string) =>
    parseDirectory(Buffer.from(JSON.stringify({ units: [{ number: '1', residents: [{ name }] }] }))).units[0]
      ?.residents[0]?.name
  assert.is(named('\u202eAna\u200f Lu\u0301cia\ufeff'), 'Ana Lúcia')
  assert.throws(() => named('Ana\u0000'), /1 problem/)
  assert.throws(() => named('\u200f'), /1 problem/)
})

test('messengers know their numbers: those that are not valid here are compared as they are', () => {
  assert.is(canonicalNumber('+551187654321'), ANA)
  assert.is(canonicalNumber(ANA), ANA)
  assert.is(canonicalNumber('+51987654321'), '+51987654321')
  assert.is(canonicalNumber('+5511'), '+5511')
  assert.is(canonicalNumber('+9991234567890'), '+9991234567890')
})

test('a foreign number whose digits are a national one too has a twin', () => {
  assert.is(nationalTwin('+51987654321', 'BR'), '+5551987654321')
  assert.is(nationalTwin('+11987654321', 'BR'), ANA)
  assert.is(nationalTwin('+6591234567', 'BR'), '+5565991234567')
  for (const number of [ANA, '+551187654321', '+12125550100', '+351912345678', '+56987654321'])
    assert.is(nationalTwin(number, 'BR'), undefined, number)
  assert.is(nationalTwin('+51987654321', 'PE'), undefined)
})

test('a number that an older version misread is held until somebody confirms it', async (rig) => {
  const database = await openTestDatabase(rig)
  await importDirectory(database, 'default', [{ number: '101', residents: [{ name: 'Ana' }] }])
  // as the version before writes it
  await database.query(`update residents set whatsapp = '+51987654321'`)
  await database.query(`update tenants set settings = '{"notifyUnreached": true}'`)
  const held = async () => (await unitOf(database, 'default', '101'))?.residents[0]?.held ?? false
  const { id } = (await unitOf(database, 'default', '101'))!
  assert.is(await held(), true)
  assert.is(await holdsNumber(database, 'default', '+51987654321'), true)
  assert.equal((await findUnreached(database, 'default', id))?.residents, [])
  const [listed] = await listHeldNumbers(database)
  assert.equal([listed?.unit, listed?.number, listed?.twin], ['101', '+51987654321', '+5551987654321'])
  assert.equal(await listHeldNumbers(database, 'other'), [])

  await confirmNumbers(database, 'default', ['+51987654321'])
  assert.is(await held(), false)
  assert.is(await holdsNumber(database, 'default', '+51987654321'), false)
  assert.is((await findUnreached(database, 'default', id))?.residents.length, 1)
  assert.equal(await listHeldNumbers(database), [])
})

test('a confirmation outlives imports, and goes with the file to another database', async (rig) => {
  const database = await openTestDatabase(rig)
  const residents = [{ name: 'Ana', whatsapp: '+51987654321' }]
  await importDirectory(database, 'default', [{ number: '101', residents }])
  await confirmNumbers(database, 'default', ['+51987654321'])
  await importDirectory(database, 'default', [{ number: '101', residents: [...residents, { name: 'Bia' }] }])
  assert.equal(await listHeldNumbers(database), [])
  const exported = (await exportDirectory(database, 'default'))!
  assert.equal(exported.tenant?.confirmed, ['+51987654321'])
  const other = await openTestDatabase(rig)
  const { units, tenant } = parseDirectory(Buffer.from(JSON.stringify(exported)))
  await importDirectory(other, 'default', units, { tenant: tenant! })
  assert.equal(await listHeldNumbers(other), [])
  // without its confirmations it holds them again
  const third = await openTestDatabase(rig)
  await importDirectory(third, 'default', units)
  assert.is((await listHeldNumbers(third)).length, 1)
})

test.run()
