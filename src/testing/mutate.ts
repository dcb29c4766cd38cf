import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, readdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Mutant } from './mutants.ts'
import type { Result, Task } from './mutate-worker.ts'

export interface MutateOptions {
  /** Ids of machines of the package. */
  machines: readonly string[]
  /** A file of results, one a line: what it has is not examined again while the machine and the kit stay the same. */
  resume?: string
  /** Examine only so many of each machine, chosen by `seed`. */
  sample?: number
  seed?: number
  /** Default: as many as there are processors. */
  workers?: number
  /** Called for each result. */
  tell?: (examined: Examined) => void
  signal?: AbortSignal
}

/** What became of one mutant. */
export interface Examined {
  readonly machine: string
  readonly line: number
  readonly kind: Mutant['kind']
  readonly change: string
  /** `killed`: a path noticed it. `invalid`: it is no machine, and does not count. */
  readonly fate: 'killed' | 'survived' | 'invalid'
  /** The path that noticed it, or why it is invalid. */
  readonly by: string | null
}

/** ms after which a mutant is taken for one that never ends. */
const PATIENCE_MS = 60_000

const here = import.meta.url
const EXTENSION = extname(fileURLToPath(here))
const urlOf = (name: string) => new URL(`../../machines/${name}${EXTENSION}`, here).href

/**
 * Makes every small change of a machine in turn, in memory, and plays the generated paths of the unchanged machine on it. A change
 * that no path notices is a survivor: nothing that the model says depends on it.
 */
export async function mutate({
  machines,
  resume,
  sample,
  seed = 1,
  workers = availableParallelism(),
  tell = () => {},
  signal,
}: MutateOptions): Promise<Examined[]> {
  const known = await readKnown(resume)
  const all: Examined[] = []
  const queue = [...machines]
  const work = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) await examineAll(id)
  }
  await Promise.all(Array.from({ length: Math.min(workers, machines.length) }, work))
  const order = new Map(machines.map((id, at) => [id, at]))
  return all.sort(
    (one, other) => order.get(one.machine)! - order.get(other.machine)! || one.line - other.line,
  )

  async function examineAll(id: string): Promise<void> {
    const version = await versionOf(id)
    let bench = await openBench(id)
    try {
      const { mutants } = bench
      const chosen = sample === undefined ? [...mutants.keys()] : draw(mutants.length, sample, seed)
      for (const number of chosen) {
        signal?.throwIfAborted()
        const { kind, line, change } = mutants[number]!
        const key = `${id} ${version} ${number}`
        let examined = known.get(key)
        if (!examined) {
          const result = await bench.examine(number)
          if (result === undefined) {
            await bench.close()
            bench = await openBench(id)
          }
          examined = { machine: id, line, kind, change, ...fateOf(result) }
          if (resume !== undefined) await appendFile(resume, `${JSON.stringify({ key, examined })}\n`)
        }
        all.push(examined)
        tell(examined)
      }
    } finally {
      await bench.close()
    }
  }
}

function fateOf(result: Result | undefined): Pick<Examined, 'fate' | 'by'> {
  if (result === undefined) return { fate: 'killed', by: 'it does not end' }
  if ('invalid' in result) return { fate: 'invalid', by: result.invalid }
  return result.killed === null ? { fate: 'survived', by: null } : { fate: 'killed', by: result.killed }
}

/** Of what a result depends on: the machine with all that it imports, and the kit with its fixtures. */
async function versionOf(id: string): Promise<string> {
  const folder = dirname(fileURLToPath(here))
  const kit = (await readdir(folder)).filter((name) => extname(name) === EXTENSION).sort()
  const files = new Set(kit.map((name) => join(folder, name)).concat(fileURLToPath(urlOf(id))))
  const hash = createHash('sha256')
  // a set goes on with what is added to it meanwhile
  for (const file of files) {
    const source = await readFile(file, 'utf8')
    hash.update(source)
    if (dirname(file) !== folder)
      for (const [, name] of source.matchAll(/from '\.\/([^']+)'/g)) files.add(join(dirname(file), name!))
  }
  return hash.digest('hex').slice(0, 12)
}

/** A worker that examines the mutants of one machine, one after the other; undefined if a mutant does not end. */
async function openBench(id: string) {
  const task: Task = { id, url: urlOf(id), all: urlOf('all') }
  const worker = new Worker(new URL(`./mutate-worker${EXTENSION}`, here), {
    workerData: task,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  let waiting = Promise.withResolvers<unknown>()
  worker.on('message', (answer) => waiting.resolve(answer))
  worker.on('error', (error) => waiting.reject(error))
  worker.on('exit', (code) => waiting.reject(new Error(`the worker ended with ${code}`)))
  const { mutants } = (await waiting.promise) as { mutants: Mutant[] }
  return {
    mutants,
    async examine(number: number): Promise<Result | undefined> {
      waiting = Promise.withResolvers()
      worker.postMessage(number)
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(resolve, PATIENCE_MS, undefined)
      })
      try {
        return ((await Promise.race([waiting.promise, late])) as { result: Result } | undefined)?.result
      } finally {
        clearTimeout(timer)
      }
    },
    async close(): Promise<void> {
      // nobody waits for it any more
      waiting.promise.catch(() => {})
      await worker.terminate()
    },
  }
}

async function readKnown(file: string | undefined): Promise<Map<string, Examined>> {
  if (file === undefined || !existsSync(file)) return new Map()
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const { key, examined } = JSON.parse(line) as { key: string; examined: Examined }
      return [key, examined]
    }),
  )
}

/** So many different numbers below `count`, in order; the same for the same seed. */
function draw(count: number, wanted: number, seed: number): number[] {
  let state = seed
  const random = () => {
    // a linear congruential generator, with the constants of Numerical Recipes
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return [...Array(count).keys()]
    .map((number) => ({ number, rank: random() }))
    .sort((one, other) => one.rank - other.rank)
    .slice(0, wanted)
    .map(({ number }) => number)
    .sort((one, other) => one - other)
}
