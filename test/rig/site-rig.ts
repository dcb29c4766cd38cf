import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../../src/config/config.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/database.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { createPhone, type Phone, type PhoneOptions } from '../../src/simulator/phone.ts'
import { readPrompts } from '../../src/testing/index.ts'
import { type Running, start } from './command.ts'
import { openDatabaseUrl } from './database.ts'
import { holdPort } from './ports.ts'
import type { Rig } from './rig.ts'
import { quickPack } from './service-pack.ts'

export interface Fact {
  type: string
  data: Record<string, unknown>
}

/**
 * A site of several processes on one database, each with a role. Where the tests of a file share it, `running` is the process
 * of that role which a test before has left running, and `callOf` is the way to call it, with a phone that ends with its test.
 */
export async function openSite(rig: Rig) {
  const url = await openDatabaseUrl(rig)
  const key = randomBytes(16).toString('hex')
  const pack = await quickPack()
  const prompts = await readPrompts('pt-BR', [pack])
  const events: Fact[] = []
  /** While it is set, the receiver takes posts and does not answer. */
  let held: Promise<void> | undefined
  const receiver = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    events.push(JSON.parse(Buffer.concat(parts).toString()))
    await held
    response.writeHead(204).end()
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  rig.defer(() => {
    receiver.closeAllConnections()
    return new Promise((resolve) => receiver.close(resolve))
  })
  const { port } = receiver.address() as AddressInfo

  /** A DATA_DIR with short prompts. */
  const home = async () => {
    const scratch = await createTempDir('porteiro-role-')
    rig.defer(() => scratch.remove())
    await symlink(pack, join(scratch.path, 'prompts'))
    return scratch.path
  }

  const open = async (role: string, settings: Environment = {}): Promise<Process> => {
    const process = await start(rig, ['serve', '--role', role], {
      DATABASE_URL: url,
      DATA_DIR: settings['DATA_DIR'] ?? (await home()),
      NODE_ID: role,
      AUDIOSOCKET_VISITOR_PORT: '0',
      AUDIOSOCKET_RESIDENT_PORT: '0',
      API_PORT: '0',
      HEALTH_PORT: '0',
      API_KEY: key,
      CLICKTOCALL: 'manual',
      TTS: 'none',
      HANGUP_DELAY_MS: '0',
      WEBHOOK_URL: `http://127.0.0.1:${port}/`,
      ...settings,
    })
    const ready = await process.logged('ready')
    const http = ready['api'] ?? ready['health']
    return {
      ...process,
      ready,
      async ask(path, body, method = body ? 'POST' : 'GET') {
        const response = await fetch(`http://127.0.0.1:${http}${path}`, {
          headers: {
            authorization: `Bearer ${key}`,
            ...(body ? { 'content-type': 'application/json' } : {}),
          },
          method,
          ...(body && { body: JSON.stringify(body) }),
          signal: rig.signal,
        })
        return { status: response.status, body: await response.json().catch(() => undefined) }
      },
      async end() {
        process.child.kill('SIGTERM')
        return process.ended
      },
      // a signal was sent, or it has ended by itself
      isEnding: () => process.child.killed || process.child.exitCode !== null,
    }
  }

  const phoneOf = (owner: Rig, options: PhoneOptions): Phone => {
    const opened = createPhone({ prompts, timeoutMs: 90_000, ...options })
    owner.defer(() => opened.close())
    return opened
  }
  const phone = (options: PhoneOptions) => phoneOf(rig, options)

  const callOf = async (owner: Rig, { ready }: Process): Promise<Phone> => {
    const visitor = phoneOf(owner, { port: ready['visitor']!, id: randomUUID(), role: 'visitor' })
    await visitor.hearing('greeting')
    return visitor
  }
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    held = promise
    rig.defer(resolve)
    return resolve
  }
  const keep = createKeep()
  /** Ends every connection to the database at once. */
  const cut = async () => {
    const own = await openDatabase({ url, dataDir: tmpdir(), log: silentLog(), max: 1 })
    try {
      const rows = await own.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      return rows.length
    } finally {
      await own.close()
    }
  }
  return {
    open,
    running: (role: string) => keep(role, () => open(role)),
    home,
    phone,
    phoneOf,
    call: (process: Process) => callOf(rig, process),
    callOf,
    /** What the world was told of one call. */
    eventsOf: (id: string) => events.filter(({ data }) => data['call_id'] === id),
    events,
    hold,
    cut,
    key,
    url,
    prompts,
  }
}

/** Processes that outlast a test, by name: the one that runs, or what `start` starts where a test has ended it; `fresh`: a new one. */
export function createKeep() {
  const kept = new Map<string, Process>()
  return async (name: string, start: () => Promise<Process>, fresh = false): Promise<Process> => {
    const known = kept.get(name)
    if (known && !fresh && !known.isEnding()) return known
    known?.child.kill('SIGKILL')
    await known?.ended
    const started = await start()
    kept.set(name, started)
    return started
  }
}

export interface Process extends Running {
  ready: Record<string, number>
  // biome-ignore lint/suspicious/noExplicitAny: what the service says is what the test looks at
  ask(path: string, body?: object, method?: string): Promise<{ status: number; body: any }>
  end(): Promise<{ code: number | null; err: string }>
  isEnding(): boolean
}

/**
 * A port that nobody has, below those that the system gives away by itself: whoever connects again and again to one of
 * those while nobody listens there may be given it as its own, and then nobody can.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const held = await holdPort(randomInt(12_000, 32_000)).catch(() => undefined)
    if (held === undefined) continue
    await held.release()
    return held.port
  }
}
