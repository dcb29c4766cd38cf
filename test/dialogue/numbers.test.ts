import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { numbersIn } from '../../src/dialogue/numbers.ts'
import { unitIn } from '../../src/dialogue/spoken-unit.ts'
import { wordsOf } from '../../src/dialogue/words.ts'
import { suite } from '../rig/rig.ts'

const test = suite('dialogue: spoken numbers')

/** The whole text as one number in digits: `quinhentos e um` → `501`. */
function digitsOf(text: string): string | undefined {
  const words = wordsOf(text)
  const [number, ...others] = numbersIn(words)
  const whole = number && others.length === 0 && number.from === 0 && number.to === words.length
  return whole ? number.readings[0] : undefined
}

const WHOLE: Record<string, string> = {
  'quinhentos e um': '501',
  'Quinhentos e Um.': '501',
  'quinhentos um': '501',
  'quinhento e um': '501',
  'cento e um': '101',
  'cento e vinte e um': '121',
  'um zero um': '101',
  'um, zero, um': '101',
  '1, 0, 1': '101',
  '1 0 1': '101',
  '1-0-1': '101',
  '100 e 1': '101',
  '500 e um': '501',
  '1.203': '1203',
  '12 03': '1203',
  'mil duzentos e três': '1203',
  'mil duzentos e tres': '1203',
  'mil e um': '1001',
  'dois mil e três': '2003',
  'dois mil cento e onze': '2111',
  'doze zero três': '1203',
  'onze zero dois': '1102',
  'vinte e um': '21',
  'vinte um': '21',
  'trinta e quatro': '34',
  'três quatro': '34',
  'oito meia dois': '862',
  'meia meia um': '661',
  'zero um zero um': '0101',
  'cincoenta e dois': '52',
  'catorze zero um': '1401',
  dezasseis: '16',
  dezesseis: '16',
  um: '1',
  cem: '100',
  mil: '1000',
  'five oh one': '501',
  'five hundred one': '501',
  'five hundred and one': '501',
  'one hundred and one': '101',
  'a hundred and one': '101',
  'one oh one': '101',
  'one zero one': '101',
  'twelve oh three': '1203',
  'twenty-one': '21',
  'twenty one oh two': '2102',
  'one twenty three': '123',
  'double five one': '551',
  'one thousand two hundred and three': '1203',
}

test('reads a number however it is said or written', () => {
  for (const [text, digits] of Object.entries(WHOLE)) {
    const [number, ...others] = numbersIn(text)
    assert.is(number?.readings[0], digits, text)
    assert.equal(others, [], text)
  }
  assert.is(digitsOf('quinhentos e um'), '501')
  assert.is(digitsOf('apartamento quinhentos e um'), undefined)
  assert.is(digitsOf('bom dia'), undefined)
})

test('offers another reading where words may be spelt out', () => {
  assert.equal(numbersIn('vinte um')[0]?.readings, ['21', '201'])
  assert.equal(numbersIn('20 1')[0]?.readings, ['201', '21'])
  assert.equal(numbersIn('vinte e um')[0]?.readings, ['21'])
})

test('tells numbers from articles, fillers and half an hour', () => {
  assert.equal(
    numbersIn('um pacote para o 501').map(({ readings, weak }) => [readings[0], weak]),
    [
      ['1', true],
      ['501', false],
    ],
  )
  assert.equal(numbersIn('daqui a meia hora'), [])
  assert.equal(
    numbersIn('um, five oh one', 'en').map(({ readings }) => readings[0]),
    ['501'],
  )
  assert.equal(
    numbersIn('101 e 102').map(({ readings }) => readings[0]),
    ['101', '102'],
  )
})

const PT_ONES =
  'zero um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze dezesseis dezessete dezoito dezenove'.split(
    ' ',
  )
const PT_TENS = ',,vinte,trinta,quarenta,cinquenta,sessenta,setenta,oitenta,noventa'.split(',')
const PT_HUNDREDS =
  ',cento,duzentos,trezentos,quatrocentos,quinhentos,seiscentos,setecentos,oitocentos,novecentos'.split(',')
const EN_ONES =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  )
const EN_TENS = ',,twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety'.split(',')

function inPortuguese(n: number): string {
  if (n >= 1000) {
    const rest = n % 1000
    const head = n < 2000 ? 'mil' : `${inPortuguese(Math.floor(n / 1000))} mil`
    if (rest === 0) return head
    return `${head} ${rest < 100 || rest % 100 === 0 ? 'e ' : ''}${inPortuguese(rest)}`
  }
  if (n === 100) return 'cem'
  if (n > 100)
    return [PT_HUNDREDS[Math.floor(n / 100)], ...(n % 100 ? [inPortuguese(n % 100)] : [])].join(' e ')
  if (n < 20) return PT_ONES[n]!
  return [PT_TENS[Math.floor(n / 10)], ...(n % 10 ? [PT_ONES[n % 10]] : [])].join(' e ')
}

function inEnglish(n: number): string {
  if (n >= 1000)
    return `${inEnglish(Math.floor(n / 1000))} thousand${n % 1000 ? ` ${inEnglish(n % 1000)}` : ''}`
  if (n >= 100) return `${EN_ONES[Math.floor(n / 100)]} hundred${n % 100 ? ` and ${inEnglish(n % 100)}` : ''}`
  if (n < 20) return EN_ONES[n]!
  return [EN_TENS[Math.floor(n / 10)], ...(n % 10 ? [EN_ONES[n % 10]] : [])].join('-')
}

test('reads every number below 10,000 in both languages, with and without accents', () => {
  for (let n = 0; n < 10_000; n += 1) {
    const said = inPortuguese(n)
    assert.is(digitsOf(said), String(n), said)
    assert.is(digitsOf(said.normalize('NFD').replace(/\p{M}/gu, '')), String(n), said)
    assert.is(digitsOf(inEnglish(n)), String(n), inEnglish(n))
  }
})

test('reads any number spelt digit by digit, in words, figures, or both', () => {
  const digit = fc.integer({ min: 0, max: 9 })
  const spelling = fc.constantFrom<(n: number) => string>(
    (n) => PT_ONES[n]!,
    (n) => EN_ONES[n]!,
    String,
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(digit, spelling), { minLength: 2, maxLength: 8 }), (digits) => {
      const said = digits.map(([n, spell]) => spell(n)).join(' ')
      assert.is(digitsOf(said), digits.map(([n]) => n).join(''), said)
    }),
  )
})

const UNITS: [said: string, unit: string | null, block: string | null][] = [
  ['apto 501 bloco B', '501', 'B'],
  ['bloco b apartamento quinhentos e um', '501', 'B'],
  ['quinhentos e um bloco bê', '501', 'B'],
  ['501B', '501', 'B'],
  ['501 b', '501', 'B'],
  ['B501', '501', 'B'],
  ['501 a pizza', '501', null],
  ['torre dois trezentos e um', '301', '2'],
  ['torre 2, apartamento 34', '34', '2'],
  ['301 bloco 2', '301', '2'],
  ['bloco jasmim apartamento 12', '12', 'JASMIM'],
  ['apartamento número três zero um', '301', null],
  ['apartamento um', '1', null],
  ['casa dois', '2', null],
  ['um pacote para o 501', '501', null],
  ['duas pizzas pro apartamento trinta e quatro', '34', null],
  ['apartamento 101, não, apartamento 102', '102', null],
  ['apartment five oh one, block b', '501', 'B'],
  ['duas caixas para o 12', '12', null],
  ['sou do bloco C', null, 'C'],
]

test('finds the unit and its block in what was said', () => {
  for (const [said, unit, block] of UNITS) {
    const found = unitIn(said)
    assert.equal([found?.readings[0] ?? null, found?.block ?? null], [unit, block], said)
  }
})

test('finds no unit where other things are counted', () => {
  for (const said of [
    '',
    'bom dia',
    'entrega de duas caixas',
    'somos 3 pessoas',
    'um pacote',
    'no quinto andar',
  ]) {
    assert.is(unitIn(said), undefined, said)
  }
})

test('any text at all is read, digits only, and never more than a unit has', () => {
  const word = fc.constantFrom(
    'mil',
    'cem',
    'e',
    'dois',
    'vinte',
    'hundred',
    '12',
    '0',
    'double',
    'meia',
    ',',
    'bloco',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(word, { maxLength: 40 }).map((list) => list.join(' ')),
  )
  fc.assert(
    fc.property(text, (said) => {
      unitIn(said)
      for (const { readings, from, to } of numbersIn(said)) {
        assert.ok(from < to && readings.length > 0)
        for (const reading of readings) assert.match(reading, /^\d{1,16}$/)
      }
    }),
    { numRuns: 500 },
  )
})

test.run()
