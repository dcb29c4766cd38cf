/** `npm run check`: everything that can be said of the tree without running it. Quiet where all is well. */
import { spawn } from 'node:child_process'
import { glob, readFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { VARIABLES } from '../src/config/index.ts'
import { ERRORS } from '../src/platform/errors.ts'
import { staleCharts } from './charts.ts'
import { doors, houseMap, namedFiles, tableOwners, vainExports } from './house.ts'

/** Places that may put real ports in a machine's place. */
const PROVIDERS = [
  'machines/provide.ts',
  'src/roles/provide.ts',
  'src/roles/service.ts',
  'src/testing/world.ts',
]

/** A newcomer's first page fits a few screens. */
const README_LINES = 130

/** Codes that are printed or journaled without an error of ours: by the launcher, and as the reason why a step is left out. */
const UNTHROWN = ['BUG', 'NODE_TOO_OLD', 'CONTACT_NOBODY', 'OPERATOR_UNAVAILABLE']

/** A code is raised as the first argument of what makes errors, as the `code` of a record, or in a table of codes. */
const RAISED = [
  /\b(?:fail|undelivered|failureWith)\(([^,]*)/g,
  /\bcode(?::| =) ('[A-Z_]+')/g,
  /\bErrorCode\b[^=\n]*= ([{[][\s\S]*?\n[}\]])/g,
]

type Check = () => Promise<string[]>

const checks: Record<string, Check> = {
  types: () => tool('tsc', []),
  'types of the page': () => tool('tsc', ['-p', 'tsconfig.web.json']),
  lint: () => tool('biome', ['check', '--error-on-warnings', '.']),
  imports: () =>
    tool('depcruise', [
      '--config',
      '.dependency-cruiser.cjs',
      'src',
      'machines',
      'test',
      'scripts',
      'bench',
      'chaos',
    ]),
  'each room has a door': doors,
  'each table has one owner': tableOwners,
  'nothing is exported in vain': vainExports,
  'ARCHITECTURE.md maps the house': houseMap,
  'files that are named exist': namedFiles,
  'every test file runs its tests': async () =>
    (await matching('test/**/*.test.ts', (text) => !/^test\.run\(\)$/m.test(text))).map(
      (file) => `${file} never calls test.run()`,
    ),
  'the environment is read in one place': async () =>
    (await matching('{src,machines}/**/*.ts', (text) => /process\.env/.test(text)))
      .filter((file) => file !== 'src/config/config.ts')
      .map((file) => `${file} reads process.env`),
  'machines are provided in one place': async () =>
    (await matching('{src,machines}/**/*.ts', (text) => /\.provide\(/.test(text)))
      .filter((file) => !PROVIDERS.includes(file))
      .map((file) => `${file} calls machine.provide`),
  'machines ask one clock for the time': async () =>
    (
      await matching('machines/**/*.ts', (text) =>
        /\bDate\b|\bperformance\b|\bset(Timeout|Interval)\b/.test(text),
      )
    )
      .filter((file) => file !== 'machines/clock.ts')
      .map((file) => `${file} asks for the time without machines/clock.ts`),
  'docs/errors.md has the error table': errorDocs,
  'every error is raised somewhere': unthrownErrors,
  '.env.example has every variable': environmentExample,
  'charts in docs/charts.md are current': staleCharts,
  'links in the documents lead somewhere': deadLinks,
  'README.md is short': async () => {
    const lines = (await readFile('README.md', 'utf8')).trimEnd().split('\n').length
    return lines > README_LINES
      ? [`it has ${lines} lines; ${README_LINES} are enough, docs/ takes the rest`]
      : []
  },
  'every page of docs/ is in an index': unlistedPages,
}

const results = await Promise.all(
  Object.entries(checks).map(async ([name, check]) => ({ name, problems: await check() })),
)
for (const { name, problems } of results) {
  if (problems.length > 0) console.log(`${name}:\n${problems.map((problem) => `  ${problem}`).join('\n')}\n`)
}
const failed = results.filter(({ problems }) => problems.length > 0).length
console.log(
  failed === 0 ? `${results.length} checks, all clean` : `${failed} of ${results.length} checks failed`,
)
process.exitCode = failed === 0 ? 0 : 1

function tool(name: string, args: string[]): Promise<string[]> {
  return new Promise((resolve) => {
    const child = spawn(`node_modules/.bin/${name}`, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (part) => {
      output += part
    })
    child.stderr.on('data', (part) => {
      output += part
    })
    child.on('error', (error) => resolve([error.message]))
    child.on('close', (code) => resolve(code === 0 ? [] : output.trimEnd().split('\n')))
  })
}

async function matching(pattern: string, wrong: (text: string) => boolean): Promise<string[]> {
  const files: string[] = []
  for await (const file of glob(pattern)) if (wrong(await readFile(file, 'utf8'))) files.push(file)
  return files.sort()
}

async function errorDocs(): Promise<string[]> {
  const text = await readFile('docs/errors.md', 'utf8').catch(() => '')
  const documented = new Map(
    [...text.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| (\d*) \|/gm)].map(([, code, status, exit]) => [
      code!,
      `${status} ${exit}`,
    ]),
  )
  const problems: string[] = []
  for (const [code, entry] of Object.entries(ERRORS)) {
    const expected = `${entry.status} ${'exit' in entry ? entry.exit : ''}`
    const found = documented.get(code)
    if (found === undefined) problems.push(`${code} is not documented`)
    else if (found !== expected)
      problems.push(`${code} is documented as "${found}", the table says "${expected}"`)
    documented.delete(code)
  }
  return [...problems, ...[...documented.keys()].map((code) => `${code} is documented but not in the table`)]
}

async function unthrownErrors(): Promise<string[]> {
  const raised = new Set<string>(UNTHROWN)
  for await (const file of glob('src/**/*.ts')) {
    if (file === 'src/platform/errors.ts') continue
    const code = (await readFile(file, 'utf8')).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    for (const form of RAISED)
      for (const [, given] of code.matchAll(form))
        for (const [, name] of given!.matchAll(/'([A-Z_]+)'/g)) raised.add(name!)
  }
  return Object.keys(ERRORS)
    .filter((code) => !raised.has(code))
    .map((code) => `${code} is in the table but nothing raises it`)
}

async function environmentExample(): Promise<string[]> {
  const text = await readFile('.env.example', 'utf8').catch(() => '')
  const listed = new Map([...text.matchAll(/^#?([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]))
  const problems: string[] = []
  for (const [name, { default: byDefault = '' }] of Object.entries(VARIABLES)) {
    if (!listed.has(name)) problems.push(`${name} is missing`)
    else if (listed.get(name) !== byDefault)
      problems.push(`${name} has "${listed.get(name)}", the default is "${byDefault}"`)
    listed.delete(name)
  }
  return [...problems, ...[...listed.keys()].map((name) => `${name} is listed but not read`)]
}

/** Relative links of the pages at the root and of docs/, to files and to headings in them. */
async function deadLinks(): Promise<string[]> {
  const problems: string[] = []
  for await (const page of glob('{*.md,docs/**/*.md}')) {
    for (const [, link] of withoutCode(await readFile(page, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link!)) continue
      const [path, anchor] = link!.split('#')
      const file = path === '' ? page : join(dirname(page), path!)
      const text = await readFile(file, 'utf8').catch((error) => (error.code === 'EISDIR' ? '' : undefined))
      if (text === undefined || (anchor !== undefined && !anchorsOf(text).has(anchor)))
        problems.push(`${page}: ${link}`)
    }
  }
  return problems.sort()
}

/** As GitHub names headings. */
function anchorsOf(markdown: string): Set<string> {
  const headings = withoutCode(markdown).matchAll(/^#+ +(.+?) *$/gm)
  return new Set(
    [...headings].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

function withoutCode(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```/gm, '')
}

/** A page is in the README of its folder, and that in the one of docs/. */
async function unlistedPages(): Promise<string[]> {
  const problems: string[] = []
  for await (const page of glob('docs/**/*.md')) {
    if (page === 'docs/README.md') continue
    const folder = basename(page) === 'README.md' ? dirname(dirname(page)) : dirname(page)
    const index = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '')
    if (!index.includes(`](${relative(folder, page)})`))
      problems.push(`${page} is not in ${folder}/README.md`)
  }
  return problems.sort()
}
