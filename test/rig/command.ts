import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Environment } from '../../src/config/config.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import type { Rig } from './rig.ts'

/** Where Node keeps what it has compiled: without it each process strips and compiles all of our sources anew. */
export const COMPILED = join(tmpdir(), `porteiro-compiled-${process.getuid?.() ?? 0}`)
const PORTEIRO = fileURLToPath(new URL('../../bin/porteiro.js', import.meta.url))

export interface Result {
  code: number | null
  out: string
  err: string
}

export interface Running {
  child: ChildProcess
  /** What it wrote so far. */
  out(): string
  err(): string
  /** The first line on standard output, as JSON, whose message this is. */
  logged(msg: string): Promise<Record<string, number>>
  ended: Promise<Result>
}

export interface Launch {
  node?: string
  /** With a channel to this process, as bin/porteiro.js starts a newer Node. */
  launched?: boolean
  /** In a process group of its own, as a terminal starts it; whatever is left of it is killed when the test ends. */
  group?: boolean
  /** What takes the arguments, instead of Node with bin/porteiro.js; and its directory, instead of a fresh one. */
  command?: { argv: readonly string[]; cwd: string }
}

/** The command in a directory of its own, where no `.env` lies, with no more of an environment than is given. */
export async function start(
  rig: Rig,
  args: string[],
  env: Environment = {},
  { node = process.execPath, launched = false, group = false, command }: Launch = {},
): Promise<Running> {
  const scratch = await createTempDir('porteiro-cli-')
  rig.defer(() => scratch.remove())
  const [file, ...first] = command?.argv ?? [node, PORTEIRO]
  const child = spawn(file!, [...first, ...args], {
    cwd: command?.cwd ?? scratch.path,
    env: {
      PATH: process.env['PATH'],
      NO_COLOR: '1',
      NODE_COMPILE_CACHE: COMPILED,
      ...(launched && { PORTEIRO_LAUNCHED: '1' }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', ...(launched ? (['ipc'] as const) : [])],
    detached: group,
  })
  let out = ''
  let err = ''
  const heard = new Set<() => void>()
  child.stdout!.on('data', (part) => {
    out += part
    for (const listener of heard) listener()
  })
  child.stderr!.on('data', (part) => {
    err += part
  })
  // not its `close`, which never comes where this side has ended the channel
  const ended = Promise.all([
    once(child, 'exit'),
    once(child.stdout!, 'close'),
    once(child.stderr!, 'close'),
  ]).then(([[code]]): Result => ({ code, out, err }))
  rig.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    if (group) killGroup(child.pid!)
    await ended
  })
  const logged = (msg: string) =>
    new Promise<Record<string, number>>((resolve, reject) => {
      const look = () => {
        const line = out.split('\n').find((text) => text.includes(`"msg":"${msg}"`))
        if (line !== undefined) resolve(JSON.parse(line))
      }
      heard.add(look)
      look()
      void ended.then(() => reject(new Error(`ended before it said "${msg}":\n${out}${err}`)))
    })
  return { child, out: () => out, err: () => err, logged, ended }
}

function killGroup(id: number): void {
  try {
    process.kill(-id, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

export async function run(rig: Rig, args: string[], env?: Environment, launch?: Launch): Promise<Result> {
  return (await start(rig, args, env, launch)).ended
}
