import type { IndexedUnit } from '../../src/dialogue/directory-index.ts'

const FIRST =
  'Maria José Ana João Antônio Francisco Carlos Paulo Pedro Lucas Luiz Marcos Gabriel Rafael Daniel Bruno Felipe Mariana Juliana Patrícia Aline Camila Fernanda Larissa Beatriz Letícia Vanessa Jéssica Bianca Sônia'.split(
    ' ',
  )
const LASTS =
  'Silva Santos Oliveira Souza Rodrigues Ferreira Alves Pereira Lima Gomes Costa Ribeiro Martins Carvalho Almeida Lopes Soares Fernandes Vieira Barbosa Rocha Dias Nascimento Andrade Moreira Nunes Marques Machado Mendes Freitas'.split(
    ' ',
  )

/** A directory of 1,000 units, two residents in each. */
export function thousandUnits(): IndexedUnit[] {
  const at = <T>(list: T[], index: number) => list[index % list.length]!
  return Array.from({ length: 1000 }, (_, i) => {
    const number = String(101 + i)
    const residents = [
      `${at(FIRST, i)} ${at(LASTS, i * 7)} ${at(LASTS, i * 13 + 5)}`,
      `${at(FIRST, i * 11 + 3)} ${at(LASTS, i * 7)}`,
    ]
    return {
      id: number,
      number,
      label: number,
      block: null,
      residents: residents.map((name, n) => ({ id: `${number}-${n}`, name })),
    }
  })
}
