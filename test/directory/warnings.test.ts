import * as assert from 'uvu/assert'
import { parseDirectory } from '../../src/directory/file.ts'
import { directoryWarnings } from '../../src/directory/warnings.ts'
import { suite } from '../rig/rig.ts'

const test = suite('directory: rules without effect')

const WEEK = { weekdays: [1, 2], from: '08:00', to: '18:00', timezone: 'America/Sao_Paulo' }

function warnings(transcribes: boolean, file: object, trustsIntent = true): string[] {
  const { rules = {} } = parseDirectory(Buffer.from(JSON.stringify(file)))
  return directoryWarnings(rules, { transcribes, trustsIntent })
}

const unit = (number: string, rules: object) => ({ number, residents: [{ name: 'Ana' }], ...rules })

test('a block by telephone is reported as blocking nobody, also beside a name', () => {
  const file = {
    tenant: { id: 'a', name: 'A', blocked: [{ name: 'Ricardo' }, { phone: '+5511*' }] },
    units: [unit('101', { blocked: [{ phone: '+5511987654321', name: 'Ana' }] }), unit('102', {})],
  }
  const phone = 'names a telephone number, which AudioSocket does not transmit: it blocks nobody'
  assert.equal(warnings(true, file), [`tenant: blocked[1] ${phone}`, `unit 101: blocked[0] ${phone}`])
  assert.is(warnings(false, file).length, 3)
})

test('names and intents are understood with STT only', () => {
  const file = {
    units: [
      unit('101', { blocked: [{ name: 'Ricardo' }], windows: [WEEK, { ...WEEK, intent: 'delivery' }] }),
    ],
  }
  assert.equal(warnings(true, file), [])
  assert.equal(warnings(true, file, false), [
    `unit 101: windows[1] has an intent, which only the visitor's words prove, and "trustsIntent" is not set: it never opens`,
  ])
  assert.equal(warnings(false, file), [
    'unit 101: blocked[0] names a person, and names are only known with STT: it blocks nobody',
    'unit 101: windows[1] has an intent, and intents are only known with STT: it never opens',
  ])
})

test('a directory without rules has nothing to warn of', () => {
  assert.equal(warnings(false, { units: [unit('101', {})] }), [])
})

test.run()
