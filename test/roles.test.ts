import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import type { Environment } from '../src/config.ts'
import { silentLog } from '../src/log.ts'
import { parseRoles } from '../src/serve.ts'
import { createPhone, type Phone } from '../src/simulator/phone.ts'
import { openDatabase } from '../src/store/database.ts'
import { createScratch } from '../src/store/scratch.ts'
import { readPrompts } from '../src/testing.ts'
import { type Running, start } from './command.ts'
import { eventually, type Rig, suite } from './rig.ts'
import { quickPack } from './service-pack.ts'
import { openDatabaseUrl } from './service-rig.ts'

const test = suite('roles', { timeout: 60_000 })

interface Fact {
  type: string
  data: Record<string, unknown>
}

/** A site of several processes on one database, each with a role. */
async function openSite(rig: Rig) {
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

  const open = async (role: string, settings: Environment = {}): Promise<Process> => {
    const scratch = await createScratch('porteiro-role-')
    rig.defer(() => scratch.remove())
    await symlink(pack, join(scratch.path, 'prompts'))
    const process = await start(rig, ['serve', '--role', role], {
      DATABASE_URL: url,
      DATA_DIR: scratch.path,
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
    }
  }

  const call = async ({ ready }: Process): Promise<Phone> => {
    const phone = createPhone({ port: ready['visitor']!, id: randomUUID(), role: 'visitor', prompts })
    rig.defer(() => phone.close())
    await phone.hearing('greeting')
    return phone
  }
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    held = promise
    rig.defer(resolve)
    return resolve
  }
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
  return { open, call, events, hold, cut, key }
}

interface Process extends Running {
  ready: Record<string, number>
  // biome-ignore lint/suspicious/noExplicitAny: what the service says is what the test looks at
  ask(path: string, body?: object, method?: string): Promise<{ status: number; body: any }>
  end(): Promise<{ code: number | null; err: string }>
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const DECISION = { verdict: 'authorized' }

test('voice, web and worker apart: a decision at one reaches the call on another, a third tells the world', async (rig) => {
  const { open, call, events } = await openSite(rig)
  const [voice, web, worker] = await Promise.all(['voice', 'web', 'worker'].map((role) => open(role)))
  assert.is(voice!.ready['api'], undefined)
  assert.is(web!.ready['visitor'], undefined)
  const phone = await call(voice!)
  // the call's row follows within a tenth of a second
  const seen = await eventually(async () => {
    const { status, body } = await web!.ask(`/api/calls/${phone.id}`)
    return status === 200 && body.call && body.journal.length > 1 ? body : undefined
  })
  assert.is(seen.call.nodeId, 'voice')
  assert.equal(seen.snapshot.legs, ['visitor'])
  const decided = await web!.ask(`/api/calls/${phone.id}/decision`, DECISION)
  assert.equal(decided.body, { callId: phone.id, verdict: 'authorized', decided: true })
  await phone.heard('farewell-visitor-authorized')
  assert.is((await phone.ended).by, 'server-hangup')

  // the second one is late: told so, and kept
  const late = await web!.ask(`/api/calls/${phone.id}/decision`, { verdict: 'denied' })
  assert.ok([404, 409].includes(late.status), JSON.stringify(late))
  const after = await eventually(async () => {
    const { body } = await web!.ask(`/api/calls/${phone.id}`)
    return body.call.endedAt === null ? undefined : body
  })
  assert.is(after.call.outcome, 'authorized')
  assert.is(after.call.decision.via, 'api')
  const kept = after.journal.find(({ kind }: { kind: string }) => kind === 'decision.late')
  assert.is(kept?.data.verdict, 'denied')

  await eventually(() => (events.length >= 3 ? true : undefined), 15_000)
  assert.equal(events.map(({ type }) => type).sort(), ['call.decided', 'call.ended', 'call.started'])

  for (const process of [voice, web, worker]) {
    const { code, err } = await process!.end()
    assert.equal([code, err], [0, ''])
  }
})

test('each role tells whether it is ready, and counts what it has', async (rig) => {
  const { open } = await openSite(rig)
  const [voice, worker] = await Promise.all([open('voice'), open('worker')])
  for (const process of [voice, worker]) {
    assert.equal(await process.ask('/readyz'), { status: 200, body: { ready: true, lacks: [] } })
    assert.is((await process.ask('/healthz')).status, 200)
    assert.is((await process.ask('/metrics')).status, 200)
    // the API itself is not here
    assert.is((await process.ask('/api/calls')).status, 404)
  }
  assert.equal((await voice.ask('/api/status')).body.roles, ['voice'])
  assert.equal((await worker.ask('/api/status')).body.worker, {
    processed: 0,
    failed: 0,
    processing: 0,
    waiting: 0,
  })
})

test('a voice process that is told to end finishes its call first, and is not ready meanwhile', async (rig) => {
  const { open, call } = await openSite(rig)
  const [voice, web] = await Promise.all([open('voice'), open('web')])
  const phone = await call(voice)
  await eventually(async () => ((await web.ask(`/api/calls/${phone.id}`)).body.call ? true : undefined))
  voice.child.kill('SIGTERM')
  await eventually(async () => ((await voice.ask('/readyz')).status === 503 ? true : undefined))
  const decided = await web.ask(`/api/calls/${phone.id}/decision`, DECISION)
  assert.is(decided.status, 200, JSON.stringify(decided.body))
  await phone.heard('farewell-visitor-authorized')
  assert.is((await voice.ended).code, 0)
})

test('a worker that is told to end finishes what it has in hand', async (rig) => {
  const { open, call, events, hold } = await openSite(rig)
  const [both, worker] = await Promise.all([open('web,voice'), open('worker')])
  const release = hold()
  const phone = await call(both)
  await eventually(() => (events.length > 0 ? true : undefined), 15_000)
  worker.child.kill('SIGTERM')
  await eventually(async () => ((await worker.ask('/readyz')).status === 503 ? true : undefined))
  release()
  const { code, err } = await worker.ended
  assert.equal([code, err], [0, ''])
  const { body } = await both.ask(`/api/messages?call=${phone.id}`)
  assert.equal(
    body.items.map(({ status, attempts }: { status: string; attempts: number }) => [status, attempts]),
    [['sent', 1]],
  )
  assert.is(events.length, 1)
})

test('what is asked of gates at the API is done where calls are taken', async (rig) => {
  const { open } = await openSite(rig)
  const [voice, web] = await Promise.all([open('voice'), open('web')])
  const [visitor, resident] = await Promise.all([freePort(), freePort()])
  const extension = {
    ramal_ia: '900',
    ramal_retorno: '901',
    ip_servidor: '127.0.0.1',
    porta_ia: visitor,
    porta_retorno: resident,
  }
  const written = await web.ask('/api/extensions/g1?tenant=default', extension, 'PUT')
  assert.is(written.status, 200, JSON.stringify(written.body))
  const { status, body } = await web.ask('/api/refresh', undefined, 'POST')
  assert.equal([status, body.failed], [200, []])
  assert.equal(body.opened.map(({ port }: { port: number }) => port).sort(), [visitor, resident].sort())
  const restarted = await web.ask('/api/restart', { id: 'g1' })
  assert.equal([restarted.status, restarted.body.closed.length], [200, 2])
  await voice.end()
  const alone = await web.ask('/api/refresh', undefined, 'POST')
  assert.equal([alone.status, alone.body.error.code], [503, 'CALL_ELSEWHERE_SILENT'])
})

test('all in one process: what the last call leaves to be sent has left before the end', async (rig) => {
  const { open, call, events } = await openSite(rig)
  const all = await open('voice,worker,web')
  const phone = await call(all)
  all.child.kill('SIGTERM')
  await eventually(async () => ((await all.ask('/readyz')).status === 503 ? true : undefined))
  phone.hangUp()
  assert.is((await all.ended).code, 0)
  assert.equal(events.map(({ type }) => type).sort(), ['call.ended', 'call.started'])
})

test('every role survives that all of its connections to Postgres are cut', async (rig) => {
  const { open, call, events, cut } = await openSite(rig)
  const [voice, web, worker] = await Promise.all([open('voice'), open('web'), open('worker')])
  const phone = await call(voice)
  await eventually(async () => ((await web.ask(`/api/calls/${phone.id}`)).body.call ? true : undefined))
  assert.ok((await cut()) > 6)
  // the first question may still be asked on a connection that is gone
  await eventually(async () => {
    const { status } = await web.ask(`/api/calls/${phone.id}/decision`, DECISION)
    return status < 500 ? true : undefined
  }, 20_000)
  await phone.heard('farewell-visitor-authorized')
  await eventually(() => (events.some(({ type }) => type === 'call.ended') ? true : undefined), 20_000)
  for (const process of [voice, web, worker]) {
    await eventually(async () => ((await process.ask('/healthz')).status === 200 ? true : undefined))
    assert.is((await process.end()).code, 0)
  }
})

test('a call whose process was killed: the API says so instead of waiting', async (rig) => {
  const { open, call } = await openSite(rig)
  const [voice, web] = await Promise.all([open('voice'), open('web')])
  const phone = await call(voice)
  await eventually(async () => ((await web.ask(`/api/calls/${phone.id}`)).body.call ? true : undefined))
  voice.child.kill('SIGKILL')
  await voice.ended
  const { status, body } = await web.ask(`/api/calls/${phone.id}/decision`, DECISION)
  assert.equal([status, body.error.code], [503, 'CALL_ELSEWHERE_SILENT'])
})

test('the telephone of the page calls from a process that takes no calls', async (rig) => {
  const { open, key } = await openSite(rig)
  const voice = await open('voice')
  const web = await open('web')
  const socket = new WebSocket(`ws://127.0.0.1:${web.ready['api']}/api/phone?role=visitor`, {
    headers: { authorization: `Bearer ${key}` },
  })
  rig.defer(() => socket.terminate())
  const [told] = await once(socket, 'message')
  const { type, call: id } = JSON.parse(String(told))
  assert.is(type, 'open')
  const seen = await eventually(async () => (await web.ask(`/api/calls/${id}`)).body.call ?? undefined)
  assert.is(seen.nodeId, 'voice')
  socket.close()
  await once(socket, 'close')
  await eventually(async () => ((await web.ask(`/api/calls/${id}`)).body.call.endedAt ? true : undefined))
  await voice.end()
})

test('any set of roles in one process', async (rig) => {
  const { open, call, events } = await openSite(rig)
  const both = await open('web,voice')
  assert.equal((await both.ask('/api/status')).body.roles, ['web', 'voice'])
  const phone = await call(both)
  const decided = await both.ask(`/api/calls/${phone.id}/decision`, DECISION)
  assert.is(decided.status, 200)
  await phone.ended
  // nobody works on what leaves, until somebody comes
  assert.equal(events, [])
  const worker = await open('worker')
  await eventually(() => (events.length >= 3 ? true : undefined), 15_000)
  assert.is((await worker.end()).code, 0)
  assert.is((await both.end()).code, 0)
})

test('roles as they are written', () => {
  assert.equal(parseRoles('voice, web,voice'), ['voice', 'web'])
  assert.equal(parseRoles('voice,worker,web,dialer'), ['voice', 'worker', 'web', 'dialer'])
  assert.throws(() => parseRoles('voice,nurse'), /There is no role "nurse"/)
})

test.run()
