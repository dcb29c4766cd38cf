/** What `npm run check` says of the house: doors, one owner a table, nothing exported in vain, the map. See ARCHITECTURE.md. */
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
  for await (const file of glob('{src,machines,test,bench,chaos,scripts}/**/*.ts')) {
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

const MAP = 'ARCHITECTURE.md'
/** The map is read in one sitting. */
const MAP_LINES = 200
/** A path from the root, as documents and comments write it. */
const PATH =
  /(?<![\w./*-])(?:src|machines|test|scripts|bench|chaos|migrations)\/[\w./-]+\.(?:ts|js|cjs|json|sql)\b/g

/** ARCHITECTURE.md draws the floors as they are, and counts each way's files right. */
export async function houseMap(): Promise<string[]> {
  const text = await readFile(MAP, 'utf8')
  const lines = text.trimEnd().split('\n').length
  const problems = lines < MAP_LINES ? [] : [`it has ${lines} lines; they must stay below ${MAP_LINES}`]
  return [...problems, ...floorProblems(text), ...wayProblems(text)]
}

/** The picture has each room of scripts/house.json on its floor, with a line of its own. */
function floorProblems(text: string): string[] {
  const drawn = /<!-- floors -->\n```\n([\s\S]*?)```\n<!-- \/floors -->/.exec(text)?.[1] ?? ''
  const floors: string[][] = []
  const problems: string[] = []
  for (const line of drawn.trimEnd().split('\n')) {
    const [, floor, room] = /^(\d*) +(\w+) +\S/.exec(line) ?? []
    if (room === undefined) problems.push(`"${line}" is not a room with its line`)
    else if (floor === '') floors.at(-1)?.push(room)
    else if (Number(floor) === house.floors.length - floors.length) floors.push([room])
    else problems.push(`floor ${floor} is out of order`)
  }
  if (JSON.stringify(floors) !== JSON.stringify(house.floors))
    problems.push('the floors differ from scripts/house.json')
  return problems
}

/**
 * Under `### A way (N files, asks M)` each item of the numbered list names files, each once: those that the thing passes through,
 * and after "asks" those that are only asked. `→ A way` stands for the files of that one.
 */
function wayProblems(text: string): string[] {
  const problems: string[] = []
  const ways = new Map<string, Way>()
  const section = /^## Ways\n([\s\S]*?)(?=^## )/m.exec(text)?.[1] ?? ''
  for (const part of section.split(/^### /m).slice(1)) {
    const [, name, files, asks = '0'] = /^(.+) \((\d+) files(?:, asks (\d+))?\)\n/.exec(part) ?? []
    if (name === undefined) {
      problems.push(`"${part.split('\n')[0]}" does not count its files`)
      continue
    }
    const own = new Set<string>()
    const way: Way = { through: new Set(), asked: new Set() }
    let at = 0
    // an item goes on in indented lines
    for (const [, number, item] of part.matchAll(/^(\d+)\. (.+(?:\n {2,}.+)*)/gm)) {
      if (Number(number) !== ++at) problems.push(`${name}: item ${number} is out of order`)
      const shared = ways.get(/^→ (.+)$/.exec(item!)?.[1] ?? '')
      if (shared) {
        for (const file of shared.through) way.through.add(file)
        for (const file of shared.asked) way.asked.add(file)
        continue
      }
      const [through = '', ...asked] = item!.split(/\basks\b/)
      const named = [through.match(PATH) ?? [], asked.join(' ').match(PATH) ?? []] as const
      if (named[0].length === 0) problems.push(`${name}: item ${number} names no file`)
      for (const file of named.flat()) {
        if (own.has(file)) problems.push(`${name}: ${file} is named twice`)
        own.add(file)
      }
      for (const file of named[0]) way.through.add(file)
      for (const file of named[1]) way.asked.add(file)
    }
    for (const file of way.through) way.asked.delete(file)
    if (way.through.size !== Number(files) || way.asked.size !== Number(asks))
      problems.push(
        `${name} counts ${files} files and ${asks} asked, and has ${way.through.size} and ${way.asked.size}`,
      )
    ways.set(name, way)
  }
  return ways.size > 0 ? problems : [...problems, 'it has no ways']
}

interface Way {
  through: Set<string>
  asked: Set<string>
}

/** Files that documents and comments name by their path exist. */
export async function namedFiles(): Promise<string[]> {
  const problems: string[] = []
  for await (const file of glob([
    '{ARCHITECTURE,CONTRIBUTING,README}.md',
    'docs/**/*.md',
    '{src,machines,test,bench,chaos,scripts}/**/*.ts',
  ]))
    for (const [line, text] of (await readFile(file, 'utf8')).split('\n').entries())
      for (const path of text.match(PATH) ?? [])
        if (!existsSync(path)) problems.push(`${file}:${line + 1} names ${path}`)
  return problems
}
