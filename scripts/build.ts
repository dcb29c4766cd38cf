/**
 * `npm run build`: dist/ for those who import the package, and for bin/ where it is installed. With `--machines` that of the package
 * `@porteiro/machines`.
 */
import { spawn } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const ROOT = dirname(import.meta.dirname)
const SOURCES = ['src', 'machines']

/**
 * Empties `outDir`, compiles into it, and puts beside the compiled files what they read or what their types refer to.
 * Rejects with the compiler's output when the types are wrong.
 */
export async function build(outDir: string): Promise<void> {
  await rm(outDir, { recursive: true, force: true })
  await compile('tsconfig.build.json', outDir)
  await attribute(join(outDir, 'src', 'media', 'prompt-ids.d.ts'))
  for (const folder of SOURCES) await copyAssets(folder, outDir)
}

/** The machines and their kit alone, into an empty `outDir`. */
export async function buildMachines(outDir: string): Promise<void> {
  await rm(outDir, { recursive: true, force: true })
  await compile('tsconfig.machines.json', outDir)
}

/** tsc leaves out of declarations that an import is one of JSON, and then refuses them without `skipLibCheck`. */
async function attribute(file: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/(from ['"][^'"]+\.json['"])(;|$)/m, "$1 with { type: 'json' }$2"))
}

function compile(project: string, outDir: string): Promise<void> {
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const { promise, resolve: done, reject } = Promise.withResolvers<void>()
  const child = spawn(process.execPath, [compiler, '-p', project, '--outDir', outDir], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (part) => {
    output += part
  })
  child.on('error', reject)
  child.on('close', (code) => {
    if (code === 0) done()
    else reject(new Error(`tsc ended with ${code}\n${output}`))
  })
  return promise
}

/** Pages, styles and hand-written declarations: what tsc reads or leaves alone, but does not write. */
async function copyAssets(folder: string, outDir: string): Promise<void> {
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    const compiled = extname(entry.name) === '.ts' && !entry.name.endsWith('.d.ts')
    if (!entry.isFile() || compiled) continue
    const source = join(entry.parentPath, entry.name)
    const target = join(outDir, source.slice(ROOT.length))
    await mkdir(dirname(target), { recursive: true })
    await cp(source, target)
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { out: { type: 'string' }, machines: { type: 'boolean', default: false } },
  })
  const own = values.machines ? join(ROOT, 'packages', 'machines') : ROOT
  const outDir = resolve(values.out ?? join(own, 'dist'))
  try {
    await (values.machines ? buildMachines(outDir) : build(outDir))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 1
  }
}
