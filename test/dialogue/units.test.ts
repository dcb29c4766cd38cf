import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { createDirectoryIndex, type IndexedUnit, unitsInBlock } from '../../src/dialogue/directory-index.ts'
import { matchUnit } from '../../src/dialogue/match.ts'
import { slotsByRules } from '../../src/dialogue/slots.ts'
import { spokenBlocks } from '../../src/dialogue/spoken-unit.ts'
import type { Locale } from '../../src/platform/audio.ts'
import { suite } from '../rig/rig.ts'

const test = suite('dialogue: spoken units')

interface Door {
  number: string
  block?: string
  tower?: string
  label?: string
}

const indexOf = (doors: readonly Door[]) =>
  createDirectoryIndex(
    doors.map(
      ({ number, block = null, tower = null, label = number }, at): IndexedUnit => ({
        id: String(at),
        number,
        label,
        block,
        tower,
        residents: [],
      }),
    ),
  )

type Heard = Door | 'ask-block' | null

/** As a visitor's sentence goes: words to slots, slots to the directory. */
function hear(index: ReturnType<typeof indexOf>, said: string, locale: Locale): Heard {
  const match = matchUnit(index, { ...slotsByRules(said, locale, 'unit'), locale })
  if (match.kind === 'ambiguous') return match.number === undefined ? null : 'ask-block'
  if (match.kind !== 'found') return null
  const { number, block, tower } = match.unit
  return { number, ...(block != null && { block }), ...(tower != null && { tower }) }
}

const BLOCKS: Door[] = [
  { number: '11', block: '2' },
  { number: '111', block: '2' },
  { number: '12', block: '2' },
  { number: '101', block: '1' },
  { number: '101', block: '2' },
  { number: '1001' },
]

const TOWERS: Door[] = [
  { number: '101A', block: '2' },
  { number: '101', block: 'A' },
  { number: '101', block: 'B' },
  { number: '201', block: '1', tower: 'Norte' },
  { number: '201', block: '1', tower: 'Sul' },
  { number: '201', block: '2', tower: 'Norte' },
  { number: '301', block: 'Torre Norte' },
  { number: '302', block: 'Bloco II' },
  // a Cyrillic А, as it looks
  { number: '303', block: 'А' },
  { number: '1101' },
  { number: '1202', block: '01' },
]

const NAMED: Door[] = [
  { number: 'TERREO' },
  { number: 'COB2', label: 'Cobertura 2' },
  { number: 'casa12' },
  { number: '2' },
  { number: '900', label: 'Administração' },
  { number: '13A' },
  { number: '13B' },
  { number: '14C' },
  { number: '0021' },
]

/** Numbers that sound alike, and parts of one another. */
const ALIKE: Door[] = [
  ...['22/1', '202/1', '2002/1', '35/3', '305/3', '14/4', '40/1', '104/1', '61/6', '61/7', '5/5', '50/1'],
  ...['16/1', '106/1', '1600/1', '73/1', '703/1', '703/3'],
].map((door) => ({ number: door.split('/')[0]!, block: door.split('/')[1]! }))

const at = (number: string, block?: string, tower?: string): Door => ({
  number,
  ...(block !== undefined && { block }),
  ...(tower !== undefined && { tower }),
})

const PORTUGUESE: [doors: Door[], said: string, heard: Heard][] = [
  [BLOCKS, 'onze', at('11', '2')],
  [BLOCKS, 'cento e onze', at('111', '2')],
  [BLOCKS, 'um um um', at('111', '2')],
  [BLOCKS, 'cento e onze bloco um', null],
  [BLOCKS, '11 bloco 1', null],
  [BLOCKS, '1 bloco 11', null],
  [BLOCKS, 'apartamento onze, torre um', null],
  [BLOCKS, 'bloco um apartamento onze', null],
  [BLOCKS, 'doze bloco dois', at('12', '2')],
  [BLOCKS, 'bloco dois apartamento doze', at('12', '2')],
  [BLOCKS, 'apto 12 torre 2', at('12', '2')],
  [BLOCKS, 'um zero um', 'ask-block'],
  [BLOCKS, 'um zero um bloco um', at('101', '1')],
  [BLOCKS, 'cento e um do bloco dois', at('101', '2')],
  [BLOCKS, 'cento e um do segundo bloco', at('101', '2')],
  [BLOCKS, 'bloco segundo, cento e um', at('101', '2')],
  [BLOCKS, 'primeiro bloco cento e um', at('101', '1')],
  [BLOCKS, '0101 bloco 02', at('101', '2')],
  [BLOCKS, 'cento e um bloco três', null],
  [BLOCKS, 'cento e um bloco b', null],
  [BLOCKS, 'cento e um torre norte', null],
  [BLOCKS, 'mil e um bloco dois', null],
  [BLOCKS, 'dez zero um', at('1001')],
  [BLOCKS, 'cento e dois', null],
  [BLOCKS, 'mil e onze', null],
  [BLOCKS, 'dez', null],
  [BLOCKS, 'bloco dois', null],
  [BLOCKS, 'cento e um não, cento e onze', at('111', '2')],
  [TOWERS, 'cento e um', 'ask-block'],
  [TOWERS, 'cento e um bloco a', at('101', 'A')],
  [TOWERS, 'cento e um B', at('101', 'B')],
  [TOWERS, '101B', at('101', 'B')],
  [TOWERS, '101 bloco C', null],
  [TOWERS, '101A bloco 2', at('101A', '2')],
  [TOWERS, '101B bloco 2', null],
  [TOWERS, 'duzentos e um', 'ask-block'],
  [TOWERS, 'duzentos e um bloco um', 'ask-block'],
  [TOWERS, 'duzentos e um bloco um torre norte', at('201', '1', 'Norte')],
  [TOWERS, 'bloco dois torre norte duzentos e um', at('201', '2', 'Norte')],
  [TOWERS, 'torre norte bloco dois 201', at('201', '2', 'Norte')],
  [TOWERS, 'duzentos e um torre sul', at('201', '1', 'Sul')],
  [TOWERS, 'duzentos e um bloco dois torre sul', null],
  [TOWERS, 'trezentos e um torre norte', at('301', 'Torre Norte')],
  [TOWERS, 'trezentos e um torre sul', null],
  [TOWERS, 'trezentos e dois bloco dois', at('302', 'Bloco II')],
  [TOWERS, 'trezentos e três bloco a', at('303', 'А')],
  [TOWERS, 'onze zero um', at('1101')],
  [TOWERS, 'onze zero um bloco 1', null],
  [TOWERS, 'mil duzentos e dois bloco um', at('1202', '01')],
  [TOWERS, 'doze zero dois do primeiro bloco', at('1202', '01')],
  // what is denied, one of two, or the number of something else
  [BLOCKS, 'apê onze não doze', at('12', '2')],
  [BLOCKS, 'apartamento onze, quer dizer, doze', at('12', '2')],
  [BLOCKS, 'onze, não, doze', at('12', '2')],
  [BLOCKS, 'não, doze', at('12', '2')],
  [BLOCKS, 'onze ou melhor doze', at('12', '2')],
  [BLOCKS, 'não é onze é doze', at('12', '2')],
  [BLOCKS, 'doze e não onze', at('12', '2')],
  [BLOCKS, 'doze em vez de onze', at('12', '2')],
  [BLOCKS, 'não é doze', null],
  [BLOCKS, 'não é o apartamento doze', null],
  [BLOCKS, 'onze ou doze', null],
  [BLOCKS, 'apartamento onze ou doze', null],
  [BLOCKS, 'não lembro se é no onze ou no doze', null],
  [BLOCKS, 'onze e doze', null],
  [BLOCKS, 'do lado do doze', null],
  [BLOCKS, 'embaixo do apartamento doze', null],
  [BLOCKS, 'em frente ao doze', null],
  [BLOCKS, 'sou vizinho do doze', null],
  [BLOCKS, 'sou vizinho do doze, vim no onze', at('11', '2')],
  [BLOCKS, 'pedido número doze', null],
  [BLOCKS, 'pedido do doze', at('12', '2')],
  [BLOCKS, 'pedido 1001 pro doze', at('12', '2')],
  [BLOCKS, 'doze, pedido 1001', at('12', '2')],
  [BLOCKS, 'meu código é 1001', null],
  [BLOCKS, 'placa abc 1001', null],
  [BLOCKS, 'andar doze', null],
  [BLOCKS, 'dia doze', null],
  [BLOCKS, 'vim às onze', null],
  [BLOCKS, 'às onze', null],
  [BLOCKS, 'vim às onze no doze', at('12', '2')],
  [BLOCKS, '11:12', null],
  [BLOCKS, '1,001', at('1001')],
  // a letter by its name
  [TOWERS, 'cento e um bê', at('101', 'B')],
  [TOWERS, 'apê cento e um bê', at('101', 'B')],
  [TOWERS, 'cento e um cê', null],
  [TOWERS, 'trezentos e dois bê', null],
  [TOWERS, 'bê cento e um', at('101', 'B')],
  [TOWERS, 'cento e um cê pode chamar', 'ask-block'],
  [TOWERS, '101B bloco A', null],
  [NAMED, 'treze bê', at('13B')],
  [NAMED, 'treze cê', null],
  [NAMED, 'térreo', at('TERREO')],
  [NAMED, 'moro no terreo', at('TERREO')],
  [NAMED, 'cobertura dois', at('COB2')],
  [NAMED, 'cobertura três', null],
  [NAMED, 'casa doze', at('casa12')],
  [NAMED, 'casa treze', null],
  [NAMED, 'casa dois', at('2')],
  [NAMED, 'na administração', at('900')],
  [NAMED, 'treze', null],
  [NAMED, 'treze a', null],
  [NAMED, '13A', at('13A')],
  [NAMED, 'treze bloco b', at('13B')],
  [NAMED, 'catorze', null],
  [NAMED, 'vinte e um', at('0021')],
  [NAMED, 'dois um', at('0021')],
  [NAMED, 'duzentos e um', null],
  [ALIKE, 'vinte e dois', at('22', '1')],
  [ALIKE, 'dois dois', at('22', '1')],
  [ALIKE, 'dois zero dois bloco um', at('202', '1')],
  [ALIKE, 'duzentos e dois bloco dois', null],
  [ALIKE, 'vinte zero dois', at('2002', '1')],
  [ALIKE, 'trezentos e cinco bloco três', at('305', '3')],
  [ALIKE, 'trinta e cinco', at('35', '3')],
  [ALIKE, 'trinta e cinco bloco cinco', null],
  [ALIKE, 'catorze bloco quatro', at('14', '4')],
  [ALIKE, 'catorze bloco um', null],
  [ALIKE, 'quarenta bloco quatro', null],
  [ALIKE, 'cento e catorze', null],
  [ALIKE, 'meia um', 'ask-block'],
  [ALIKE, 'sessenta e um bloco seis', at('61', '6')],
  [ALIKE, 'meia um bloco sete', at('61', '7')],
  [ALIKE, 'sessenta e um bloco oito', null],
  [ALIKE, 'cinco bloco cinco', at('5', '5')],
  [ALIKE, 'cinquenta bloco cinco', null],
  [ALIKE, 'dezesseis', at('16', '1')],
  [ALIKE, 'um zero meia', at('106', '1')],
  [ALIKE, 'setecentos e três', 'ask-block'],
  [ALIKE, 'sete zero três bloco dois', null],
  [ALIKE, 'apê 703 bl 3', at('703', '3')],
  [ALIKE, 'bloco 3, apto 305', at('305', '3')],
  [ALIKE, 'oi é o cento e seis do bloco um', at('106', '1')],
  [ALIKE, 'cento e seis bloco a', null],
  [ALIKE, 'dezesseis bloco dezesseis', null],
  [ALIKE, 'seis', null],
  [ALIKE, 'dezesseis zero zero', at('1600', '1')],
  [ALIKE, 'cem', null],
  [ALIKE, 'terceiro andar apartamento trezentos e cinco', at('305', '3')],
  [ALIKE, 'moto placa 305', null],
]

const ENGLISH: [doors: Door[], said: string, heard: Heard][] = [
  [BLOCKS, 'apartment eleven block one', null],
  [BLOCKS, 'eleven, block two', at('11', '2')],
  [BLOCKS, 'one hundred and one', 'ask-block'],
  [BLOCKS, 'one oh one, block two', at('101', '2')],
  [BLOCKS, 'one oh one in the second block', at('101', '2')],
  [BLOCKS, 'ten oh one', at('1001')],
  [BLOCKS, 'one hundred and two', null],
  [BLOCKS, 'eleven, I mean twelve', at('12', '2')],
  [BLOCKS, 'eleven or twelve', null],
  [BLOCKS, 'twelve instead of eleven', at('12', '2')],
  [BLOCKS, 'next to twelve', null],
  [BLOCKS, 'above twelve', null],
  [BLOCKS, 'order number twelve', null],
  [BLOCKS, 'order eleven for twelve', at('12', '2')],
  [TOWERS, 'eleven oh one', at('1101')],
  [TOWERS, 'two oh one', 'ask-block'],
  [TOWERS, 'two oh one block one south tower', at('201', '1', 'Sul')],
  [TOWERS, 'two oh one tower norte block one', at('201', '1', 'Norte')],
  [TOWERS, 'one oh one block bee', at('101', 'B')],
  [TOWERS, 'twelve oh two first block', at('1202', '01')],
  [NAMED, 'ground floor', at('TERREO')],
  [NAMED, 'penthouse two', at('COB2')],
  [NAMED, 'house twelve', at('casa12')],
  [NAMED, 'twenty one', at('0021')],
  [ALIKE, 'twenty two', at('22', '1')],
  [ALIKE, 'two hundred two block two', null],
  [ALIKE, 'thirty five block three', at('35', '3')],
  [ALIKE, 'thirty five block five', null],
  [ALIKE, 'sixty one', 'ask-block'],
  [ALIKE, 'sixteen block six', null],
  [ALIKE, 'fifteen', null],
  [ALIKE, 'seven oh three block three', at('703', '3')],
  [ALIKE, 'the one below 106', null],
  [ALIKE, 'not 106, 104', at('104', '1')],
]

test('a spoken unit is the one that was said, or it is asked again', () => {
  const indexes = new Map([BLOCKS, TOWERS, NAMED, ALIKE].map((doors) => [doors, indexOf(doors)]))
  for (const [locale, table] of [
    ['pt-BR', PORTUGUESE],
    ['en', ENGLISH],
  ] as const)
    for (const [doors, said, heard] of table)
      assert.equal(hear(indexes.get(doors)!, said, locale), heard, `${locale}: ${said}`)
})

test('units that were matched to another one once', async () => {
  const { directory, heard } = JSON.parse(await readFile(new URL('units.json', import.meta.url), 'utf8')) as {
    directory: Door[]
    heard: [said: string, heard: Heard][]
  }
  const index = indexOf(directory)
  for (const [said, wanted] of heard) assert.equal(hear(index, said, 'pt-BR'), wanted, said)
})

test('whatever number is named, with or without a block, no other number is found', () => {
  const index = indexOf(BLOCKS)
  for (let number = 1; number < 1200; number += 1) {
    for (const block of [null, '1', '2', '11', 'B']) {
      const match = matchUnit(index, { unit: String(number), block })
      if (match.kind !== 'found') continue
      assert.is(match.unit.number, String(number))
      assert.ok(block === null || match.unit.block === block, `${number} in ${block}`)
    }
  }
})

test('the answer to the question for a block is a block, however it is said', () => {
  const answers: [said: string, locale: Locale, names: string[]][] = [
    ['dois', 'pt-BR', ['dois']],
    ['no bloco dois', 'pt-BR', ['2']],
    ['é o segundo', 'pt-BR', ['segundo']],
    ['o segundo bloco', 'pt-BR', ['2']],
    ['é o vinte e um', 'pt-BR', ['vinte e um']],
    ['bê', 'pt-BR', ['B']],
    ['a', 'pt-BR', ['A']],
    ['torre norte', 'pt-BR', ['NORTE']],
    ['bloco um torre sul', 'pt-BR', ['1', 'SUL']],
    ['block two', 'en', ['2']],
    ['the second one', 'en', ['second one']],
    ['it is in the north tower', 'en', ['NORTE']],
    ['', 'pt-BR', []],
    ['não sei qual é o bloco onde ele mora', 'pt-BR', ['ONDE']],
  ]
  for (const [said, locale, names] of answers) assert.equal(spokenBlocks(said, locale), names, said)
})

test('keys and words name one block; keys name letters where blocks have no numbers', () => {
  const at = (...names: [block: string | null, tower?: string][]) =>
    names.map(([block, tower = null]) => ({ block, tower }))
  const chosen = (units: { block: string | null; tower: string | null }[], said: string) =>
    unitsInBlock(units, said).map(({ block, tower }) => [block, tower].filter(Boolean).join(' '))
  const numbered = at(['1'], ['Bloco 02'], ['B'])
  assert.equal(chosen(numbered, '2'), ['Bloco 02'])
  assert.equal(chosen(numbered, 'dois'), ['Bloco 02'])
  assert.equal(chosen(numbered, 'segundo'), ['Bloco 02'])
  assert.equal(chosen(numbered, 'B'), ['B'])
  assert.equal(chosen(numbered, '3'), [])
  const lettered = at(['A'], ['Bloco B'], [null, 'C'])
  assert.equal(chosen(lettered, '1'), ['A'])
  assert.equal(chosen(lettered, '2'), ['Bloco B'])
  assert.equal(chosen(lettered, '3'), ['C'])
  assert.equal(chosen(lettered, '4'), [])
  assert.is(unitsInBlock(at(['1'], [null]), '0').length, 1)
  assert.equal(unitsInBlock(at(['0'], [null]), '0'), at(['0']))
  const towers = at(['1', 'Norte'], ['1', 'Sul'], ['2', 'Norte'])
  assert.equal(chosen(towers, '1'), ['1 Norte', '1 Sul'])
  assert.equal(chosen(towers, 'north'), ['1 Norte', '2 Norte'])
})

test('labels are compared by their words, and their numbers exactly', () => {
  const index = indexOf([
    { number: '1', label: 'Loja 1102' },
    { number: '2', label: 'Salão de festas' },
  ])
  const label = (unit: string) => {
    const match = matchUnit(index, { unit })
    return match.kind === 'found' ? match.unit.label : null
  }
  assert.is(label('loja 1102'), 'Loja 1102')
  assert.is(label('loja 1103'), null)
  assert.is(label('salao de festa'), 'Salão de festas')
})

test('a list that has numbers in the place of names is not compared by them', () => {
  const index = createDirectoryIndex([
    { id: '1', number: '1102', label: '1102', block: null, residents: [{ id: '1', name: '1102' }] },
  ])
  assert.is(matchUnit(index, { resident: '1103' }).kind, 'unknown')
})

test.run()
