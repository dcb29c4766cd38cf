import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Environment } from '../src/config.ts'
import { createScratch } from '../src/store/scratch.ts'
import type { Rig } from './rig.ts'

const PORTEIRO = fileURLToPath(new URL('../bin/porteiro.js', import.meta.url))

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

/** The command in a directory of its own, where no `.env` lies, with no more of an environment than is given. */
export async function start(
  rig: Rig,
  args: string[],
  env: Environment = {},
  node = process.execPath,
): Promise<Running> {
  const scratch = await createScratch('porteiro-cli-')
  rig.defer(() => scratch.remove())
  const child = spawn(node, [PORTEIRO, ...args], {
    cwd: scratch.path,
    env: { PATH: process.env['PATH'], NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  const heard = new Set<() => void>()
  child.stdout.on('data', (part) => {
    out += part
    for (const listener of heard) listener()
  })
  child.stderr.on('data', (part) => {
    err += part
  })
  const ended = once(child, 'close').then(([code]): Result => ({ code, out, err }))
  rig.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
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

export async function run(rig: Rig, args: string[], env?: Environment, node?: string): Promise<Result> {
  return (await start(rig, args, env, node)).ended
}
