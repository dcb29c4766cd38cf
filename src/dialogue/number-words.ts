/** What a number word adds, and the room it leaves: below `room` a following word may be added to it. */
export interface NumberWord {
  value: number
  room: number
  /** Multiplies what stands before it. */
  scale?: 100 | 1000
}

const word = (value: number): NumberWord => ({ value, room: roomOf(value) })

/** 20 takes a digit, 300 two, 5000 three; 11 and 101 take none. */
export function roomOf(value: number): number {
  if (value >= 1000 && value % 1000 === 0) return 1000
  if (value >= 100 && value < 1000 && value % 100 === 0) return 100
  if (value >= 20 && value < 100 && value % 10 === 0) return 10
  return 0
}

/**
 * Without accents, with the spellings of Portugal and those that recognisers and people write. `meia` (half a dozen) is
 * how Brazilians say the digit 6 on the telephone.
 */
const SPELLINGS: Record<number, string> = {
  0: 'zero zeros oh nought',
  1: 'um uma hum one',
  2: 'dois duas two',
  3: 'tres treis three',
  4: 'quatro cuatro four',
  5: 'cinco sinco five',
  6: 'seis ceis meia six',
  7: 'sete cete seven',
  8: 'oito eight',
  9: 'nove nine',
  10: 'dez deis ten',
  11: 'onze eleven',
  12: 'doze twelve',
  13: 'treze thirteen',
  14: 'quatorze catorze fourteen',
  15: 'quinze fifteen',
  16: 'dezesseis dezasseis desesseis sixteen',
  17: 'dezessete dezassete desessete seventeen',
  18: 'dezoito desoito eighteen',
  19: 'dezenove dezanove desenove nineteen',
  20: 'vinte twenty',
  30: 'trinta thirty',
  40: 'quarenta corenta forty fourty',
  50: 'cinquenta cincoenta sinquenta fifty',
  60: 'sessenta secenta sixty',
  70: 'setenta seventy',
  80: 'oitenta eighty',
  90: 'noventa ninety',
  100: 'cem cento sento',
  200: 'duzentos duzentas dusentos',
  300: 'trezentos trezentas tresentos',
  400: 'quatrocentos quatrocentas',
  500: 'quinhentos quinhentas quinhento',
  600: 'seiscentos seiscentas seissentos',
  700: 'setecentos setecentas',
  800: 'oitocentos oitocentas',
  900: 'novecentos novecentas',
}

export const NUMBER_WORDS: ReadonlyMap<string, NumberWord> = new Map([
  ...Object.entries(SPELLINGS).flatMap(([value, words]) =>
    words.split(' ').map((spelling): [string, NumberWord] => [spelling, word(Number(value))]),
  ),
  ['hundred', { value: 100, room: 100, scale: 100 }],
  ['mil', { value: 1000, room: 1000, scale: 1000 }],
  ['thousand', { value: 1000, room: 1000, scale: 1000 }],
])

/** Between the parts of one number: `cento e um`, `one hundred and one`. */
export const JOINTS: ReadonlySet<string> = new Set(['e', 'and'])

/** `double five` is 55. */
export const REPEATS: ReadonlyMap<string, number> = new Map([
  ['double', 2],
  ['triple', 3],
])

/** Articles and a filler as well as numbers; alone they are no number. */
export const ARTICLES: ReadonlySet<string> = new Set(['um', 'uma', 'hum', 'one', 'meia'])

/** Which block or tower: `o segundo bloco`. */
export const ORDINALS: ReadonlyMap<string, string> = new Map(
  [
    'primeiro primeira first',
    'segundo segunda second',
    'terceiro terceira third',
    'quarto quarta fourth',
    'quinto quinta fifth',
    'sexto sexta sixth',
    'setimo setima seventh',
    'oitavo oitava eighth',
    'nono nona ninth',
    'decimo decima tenth',
  ].flatMap((words, at) => words.split(' ').map((word): [string, string] => [word, String(at + 1)])),
)

/** Sides after which blocks and towers are named, in either language. */
export const SIDES: ReadonlyMap<string, string> = new Map(
  ['norte north', 'sul south', 'leste east', 'oeste west'].flatMap((names) => {
    const words = names.split(' ')
    return words.map((word): [string, string] => [word, words[0]!])
  }),
)
