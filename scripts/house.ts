/** What `npm run check` says of the house: doors, one owner a table, nothing exported in vain. See ARCHITECTURE.md. */
import { existsSync } from 'node:fs'
import { glob, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import house from './house.json' with { type: 'json' }

/** Lines with which a door opens, at most: what the room is for, its terms, what it must never do. */
const HEAD_LINES = 10
/** What users of the package import; nobody here has to. */
const PUBLIC = ['src/index.ts', 'src/testing/index.ts']
/** Types that the declarations in dist/ name where our own code leaves them to inference. */
const DECLARED = [
  'AudioSocketCounts',
  'AudioSocketServer',
  'Batcher',
  'MessagePage',
  'NewJobRequest',
  'RedriveFilter',
  'WantedResident',
]

/** Rooms of src, in the order of their floors; `platform` is three doors and loose files that are doors themselves. */
const ROOMS = house.floors.flat().filter((room) => room !== 'machines' && room !== 'platform')
const PARTS = ['platform/postgres', 'platform/amqp', 'platform/http-client']

/** Each room has a door, and each door says what the room is for and what it must never do. */
export async function doors(): Promise<string[]> {
  const problems: string[] = []
  for (const room of [...ROOMS, ...PARTS]) {
    // nothing is above the commands
    if (room === 'cli') continue
    const door = `src/${room}/index.ts`
    if (!existsSync(door)) {
      problems.push(`${door} is missing`)
      continue
    }
    const head = /^\/\*\*\n([\s\S]*?)\n \*\/\n/.exec(await readFile(door, 'utf8'))?.[1]
    if (head === undefined) problems.push(`${door} does not open with a comment`)
    else if (head.split('\n').length > HEAD_LINES)
      problems.push(`${door} opens with more than ${HEAD_LINES} lines`)
    else if (!head.includes('Never')) problems.push(`${door} does not say what the room must never do`)
  }
  const rooms = new Set<string>()
  for await (const file of glob('src/*/**/*.{ts,js}')) rooms.add(file.split('/')[1]!)
  for (const room of rooms)
    if (!['web', 'platform', ...ROOMS].includes(room))
      problems.push(`src/${room} is on no floor of scripts/house.json`)
  return problems
}

/** The SQL of a table lies with its room; reads from elsewhere are listed with their reason in scripts/house.json. */
export async function tableOwners(): Promise<string[]> {
  const owners = new Map(
    Object.entries(house.tables).flatMap(([room, tables]) => tables.map((table) => [table, room])),
  )
  const made = new Set<string>()
  for await (const file of glob('migrations/*.sql'))
    for (const [, table] of (await readFile(file, 'utf8')).matchAll(
      /^create table (?:if not exists )?(\w+)/gm,
    ))
      made.add(table!)
  const problems = [...made].filter((table) => !owners.has(table)).map((table) => `${table} has no owner`)
  const named = new RegExp(`\\b(from|into|update|join)\\s+(${[...owners.keys()].join('|')})\\b`, 'g')
  for await (const file of glob('src/**/*.ts')) {
    const room = file.split('/')[1]!
    // an import has `from` too, and comments are prose
    const text = (await readFile(file, 'utf8')).replace(/\/\*[\s\S]*?\*\/|\/\/.*$|\bfrom '[^']*'/gm, '')
    for (const [, verb, table] of text.matchAll(named)) {
      if (owners.get(table!) === room) continue
      const isListed = house.reads.some(([reader, read]) => reader === room && read === table)
      if (verb === 'into' || verb === 'update' || !isListed)
        problems.push(`${file} has SQL of ${table}, which is ${owners.get(table!)}'s`)
    }
  }
  return [...new Set(problems)]
}

/** Names that are exported and imported by no other file. */
export async function vainExports(): Promise<string[]> {
  const exported = new Map<string, Set<string>>()
  const used = new Map<string, Set<string>>()
  for await (const file of glob('{src,machines,test,bench,scripts}/**/*.ts')) {
    if (file.endsWith('.d.ts')) continue
    const text = await readFile(file, 'utf8')
    const names = new Set<string>()
    for (const [, name] of text.matchAll(
      /^export (?:async )?(?:abstract )?(?:function\*?|const|let|class|interface|type) (\w+)/gm,
    ))
      names.add(name!)
    const use = (specifier: string, list: string) => {
      const from = normalize(join(dirname(file), specifier))
      const set = used.get(from) ?? new Set()
      for (const one of list.split(',')) {
        const name = one
          .trim()
          .replace(/^type /, '')
          .split(/\s+as\s+/)[0]!
        if (name) set.add(name)
      }
      used.set(from, set)
    }
    for (const [, list, specifier] of text.matchAll(
      /^(?:import|export)\s+(?:type\s+)?(?:\w+,\s*)?\{([^}]*)\}\s+from\s+'(\.[^']+)'/gm,
    ))
      use(specifier!, list!)
    // everything, by a name or by running it
    for (const [, specifier] of text.matchAll(/(?:\*(?: as \w+)?\s+from\s+|\bimport\()'(\.[^']+)'/g))
      use(specifier!, '*')
    for (const [, list] of text.matchAll(/^export\s+(?:type\s+)?\{([^}]*)\}\s+from\s/gm))
      for (const one of list!.split(',')) {
        const name = one
          .trim()
          .replace(/^type /, '')
          .split(/\s+as\s+/)
          .at(-1)!
        if (name) names.add(name)
      }
    if (file.startsWith('src/') && !PUBLIC.includes(file)) exported.set(file, names)
  }
  return [...exported].flatMap(([file, names]) => {
    const users = used.get(file)
    if (users?.has('*')) return []
    return [...names]
      .filter((name) => !users?.has(name) && !DECLARED.includes(name))
      .map((name) => `${file} exports ${name} for nobody`)
  })
}
