import { placeKey } from './unit-place.ts'

type Loose = Record<string, unknown>

/**
 * Duplicates in the raw JSON of a directory file, so that they are reported together with malformed entries: units of one place,
 * residents of a unit, extension ids, and ports on one server.
 */
export function duplicatesOf(json: unknown): { path: string; message: string }[] {
  const legacy = Array.isArray(json)
  const units = listOf(legacy ? json : (json as Loose)?.['units'])
  const extensions = listOf(legacy ? [] : (json as Loose)?.['extensions'])
  const unitPath = legacy ? '' : 'units'
  const numberName = legacy ? 'apartment_number' : 'number'
  return [
    ...repeated(
      units.map((unit, at) => {
        const number = keyOf(unit[numberName]).toUpperCase()
        const place = { number, block: keyOf(unit['block']), tower: keyOf(unit['tower']) }
        return [`${unitPath}[${at}].${numberName}`, number && placeKey(place)]
      }),
    ),
    ...units.flatMap((unit, at) =>
      repeated(
        listOf(unit['residents']).map((person, place) => [
          `${unitPath}[${at}].residents[${place}].name`,
          keyOf(person['name']) && `${keyOf(person['name'])} ${keyOf(person['phone'])}`,
        ]),
      ),
    ),
    ...repeated(extensions.map((extension, at) => [`extensions[${at}].id`, keyOf(extension['id'])])),
    ...repeated(
      extensions.flatMap((extension, at) =>
        ['porta_ia', 'porta_retorno'].map((name): [string, string] => [
          `extensions[${at}].${name}`,
          keyOf(extension[name]) && `${keyOf(extension['ip_servidor'])}:${keyOf(extension[name])}`,
        ]),
      ),
    ),
  ]
}

/** From pairs of a path and a key; empty keys are ignored. */
function repeated(pairs: [path: string, key: string][]): { path: string; message: string }[] {
  const first = new Map<string, string>()
  return pairs.flatMap(([path, key]) => {
    const found = first.get(key)
    if (found === undefined && key !== '') first.set(key, path)
    return found === undefined ? [] : [{ path, message: `repeats ${found}` }]
  })
}

/** A string in a list is a resident given by name only. */
function listOf(value: unknown): Loose[] {
  if (!Array.isArray(value)) return []
  return value.map((item) => (typeof item === 'string' ? { name: item } : ((item ?? {}) as Loose)))
}

function keyOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : ''
}
