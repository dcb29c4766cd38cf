/** The service as `npm start` runs it, in a process that can be killed and measured from outside. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Environment } from '../src/config/config.ts'
import { PACKAGE_ROOT } from '../src/platform/package.ts'
import { monotonicMs } from './monotonic.ts'

/** As in the script `start` of package.json. */
const HEAP = ['--max-semi-space-size=2', '--initial-old-space-size=256']
const KEY = 'bench'

export interface Served {
  ports: { visitor: number; resident: number; api: number }
  /** monotonicMs */
  spawnedAt: number
  /** When its line `ready` was read, monotonicMs. */
  readyAt: number
  /** CPU that it has used so far, s. */
  cpuSeconds(): Promise<number>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** All roles, nobody rung by itself; whoever is at a gate waits. Rejects with what it said when it does not come up. */
export async function serve(settings: Environment): Promise<Served> {
  const spawnedAt = monotonicMs()
  const child = spawn(process.execPath, [...HEAP, join(PACKAGE_ROOT, 'bin', 'porteiro.js'), 'serve'], {
    // where no .env lies
    cwd: settings['DATA_DIR'],
    env: { PATH: process.env['PATH'], API_KEY: KEY, CLICKTOCALL: 'manual', TTS: 'none', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const reap = () => child.kill('SIGKILL')
  process.once('exit', reap)
  const exited = once(child, 'exit').finally(() => process.off('exit', reap))
  const said: string[] = []
  child.stderr.on('data', (part) => said.push(String(part)))
  const ready = new Promise<Served['ports']>((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      if (said.length < 100) said.push(line)
      if (line.includes('"msg":"ready"')) resolve(JSON.parse(line))
    })
  })
  const ports = await Promise.race([
    ready,
    exited.then(() => Promise.reject(new Error(`the service did not come up:\n${said.join('\n')}`))),
  ])
  return {
    ports,
    spawnedAt,
    readyAt: monotonicMs(),
    async cpuSeconds() {
      const response = await fetch(`http://127.0.0.1:${ports.api}/metrics`, {
        headers: { authorization: `Bearer ${KEY}` },
      })
      const [, seconds] = /^process_cpu_seconds_total (\S+)/m.exec(await response.text()) ?? []
      if (seconds === undefined) throw new Error('the service tells no CPU')
      return Number(seconds)
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** That nobody listens on now. */
export async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}
