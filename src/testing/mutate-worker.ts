/** Plays the generated paths of one machine on its mutants. Its sources are mutated while they are loaded, never on disk. */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import type { AnyStateMachine } from 'xstate'
import { MACHINES } from '../../machines/index.ts'
import { type ModelPath, model } from './model.ts'
import { type Mutant, mutantsOf } from './mutants.ts'
import { stage } from './stage-driver.ts'

export interface Task {
  readonly id: string
  /** The URL of the machine's module, and of the list of all machines. */
  readonly url: string
  readonly all: string
}

/** Of a mutant: killed by the path of this title; `null` if no path noticed it, `invalid` if it is no machine. */
export type Result = { killed: string } | { killed: null } | { invalid: string }

const { id, url, all } = workerData as Task
const source = plain(readFileSync(fileURLToPath(url), 'utf8'))
const mutants = mutantsOf(source)
/** The mutant that is being loaded, by its number. */
const QUERY = /\?mutant=(\d+)$/
const folder = url.slice(0, url.lastIndexOf('/') + 1)

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context)
    const query = QUERY.exec(context.parentURL ?? '')?.[0]
    return query && resolved.url.startsWith(folder) ? { ...resolved, url: resolved.url + query } : resolved
  },
  load(address, context, next) {
    const number = QUERY.exec(address)?.[1]
    if (number === undefined || address !== `${url}?mutant=${number}`) return next(address, context)
    const { start, end, text } = mutants[Number(number)] as Mutant
    return {
      format: 'module',
      source: source.slice(0, start) + text + source.slice(end),
      shortCircuit: true,
    }
  },
})

// what a mutant throws outside of its steps is its own matter: the step after it differs
process.on('uncaughtException', () => {})

const machine = (MACHINES as AnyStateMachine[]).find((one) => one.id === id)!
const explored = model(machine)
const paths = shortestFirst([...explored.paths({ each: 'transition' }), ...explored.paths({ each: 'state' })])
let further: ModelPath<AnyStateMachine>[] | undefined

parentPort!.on('message', async (number: number) => {
  parentPort!.postMessage({ number, result: await examine(number) })
})
parentPort!.postMessage({ mutants })

async function examine(number: number): Promise<Result> {
  let mutated: AnyStateMachine
  try {
    const { MACHINES: machines } = await import(`${all}?mutant=${number}`)
    mutated = machines.find((one: AnyStateMachine) => one.id === id)
    // targets that do not exist are found when transitions are first asked for
    void [mutated.root, ...Object.values(mutated.states)].map(({ definition }) => definition)
  } catch (error) {
    return { invalid: String(error) }
  }
  const killed = await killerOf(mutated, paths)
  if (killed !== null) return { killed }
  // many more, so only what survives the others is worth them
  further ??= [
    ...shortestFirst(explored.paths({ each: 'ignored' })),
    ...shortestFirst([...explored.paths({ each: 'step' }), ...explored.paths({ each: 'pair' })]),
  ]
  return { killed: await killerOf(mutated, further) }
}

async function killerOf(
  mutated: AnyStateMachine,
  all: readonly ModelPath<AnyStateMachine>[],
): Promise<string | null> {
  for (const path of all) {
    try {
      await path.play(stage({ machine: mutated }))
    } catch {
      return path.title
    }
  }
  return null
}

function shortestFirst(all: ModelPath<AnyStateMachine>[]): ModelPath<AnyStateMachine>[] {
  return all.sort((one, other) => one.steps.length - other.steps.length)
}

/** Without types; positions and lines stay. */
function plain(text: string): string {
  return url.endsWith('.ts') ? stripTypeScriptTypes(text) : text
}
