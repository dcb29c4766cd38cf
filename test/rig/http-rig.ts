import { request } from 'node:http'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { MACHINES } from '../../machines/index.ts'
import type { CallCommand } from '../../src/calls/routing.ts'
import { createCharts } from '../../src/charts/charts.ts'
import { createTenant } from '../../src/directory/sql/tenants.ts'
import { listGateUrls } from '../../src/gates/sql/gates.ts'
import type { MessageRoutesOptions } from '../../src/http/routes/messages.ts'
import { type HttpOptions, openHttp } from '../../src/http/server.ts'
import { createKey, type Scope } from '../../src/http/sql/keys.ts'
import { createAccounts } from '../../src/outbound/accounts.ts'
import { createFreeWebhooks } from '../../src/outbound/free-webhooks.ts'
import { createAdmission } from '../../src/outbound/new-message.ts'
import { createReceivedMedia } from '../../src/outbound/received-media.ts'
import { createEndpointTargets } from '../../src/outbound/sql/endpoints.ts'
import { changeMessages, findMessage, lockMatching } from '../../src/outbound/sql/messages.ts'
import { addPause, deletePause, listPauses } from '../../src/outbound/sql/pauses.ts'
import { fail } from '../../src/platform/errors.ts'
import { createEgressGuard } from '../../src/platform/http-client/egress-guard.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { openTestDatabase } from './database.ts'
import { openTestDecisions } from './decisions-rig.ts'
import type { Rig } from './rig.ts'

export interface Asked {
  method?: string
  /** null: none at all. */
  key?: string | null
  body?: unknown
  headers?: Record<string, string>
}

export interface Answer {
  status: number
  headers: NodeJS.Dict<string | string[]>
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: what the service says is what the test looks at
  body: any
}

export type Ask = (path: string, asked?: Asked) => Promise<Answer>

/** One request of its own connection. Bytes and text go out as they are, anything else as JSON. */
export function asker(port: number, ownKey: string | null): Ask {
  return (path, { method, key = ownKey, body, headers = {} } = {}) =>
    new Promise((resolve, reject) => {
      const raw = typeof body === 'string' || Buffer.isBuffer(body)
      const sent = request({
        host: '127.0.0.1',
        port,
        path,
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        agent: false,
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      })
      let answered = false
      sent.on('response', async (response) => {
        answered = true
        const parts: Buffer[] = []
        for await (const part of response) parts.push(part)
        sent.destroy()
        const text = Buffer.concat(parts).toString()
        const json = String(response.headers['content-type']).includes('json')
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          text,
          body: json && text !== '' ? JSON.parse(text) : undefined,
        })
      })
      // a body that nobody wants is not read to its end
      sent.on('error', (error) => answered || reject(error))
      sent.end(raw || body === undefined ? body : JSON.stringify(body))
    })
}

/** The answer is an error of this status and code, in the one form of all errors. */
export function refused({ status, body, headers, text }: Answer, wanted: number, code: string): void {
  assert.equal([status, body?.error?.code], [wanted, code], text.slice(0, 500))
  assert.equal(Object.keys(body), ['error'])
  assert.equal(Object.keys(body.error).sort(), ['code', 'details', 'message'])
  assert.type(body.error.message, 'string')
  assert.not.match(text, /\?|undefined|node_modules/)
  assert.is(headers['www-authenticate'], status === 401 ? 'Bearer realm="porteiro"' : undefined)
}

export type Site = Awaited<ReturnType<typeof openSite>>

/** What every provider answers about files. */
const FILE = {
  status: 200,
  headers: {},
  body: JSON.stringify({ url: 'https://files.example/1', mime_type: 'image/png', file_size: 4 }),
  bytes: Buffer.from('file'),
  retryAfterMs: undefined,
  whole: true,
}

export const ADMIN_KEY = 'the-key-of-the-configuration'

/** The HTTP server by itself, on a database of its own or the one that is `furnished`, with tenants `default` and `other`. */
export async function openSite(
  rig: Rig,
  { furnished, ...options }: Partial<HttpOptions> & { furnished?: TestDatabase } = {},
) {
  const database = furnished ?? (await openTestDatabase(rig))
  const scratch = await createTempDir('porteiro-http-')
  rig.defer(() => scratch.remove())
  await createTenant(database, { id: 'other', name: 'Other' })
  const commands: { callId: string; command: CallCommand }[] = []
  const charts = createCharts(MACHINES)
  rig.defer(() => charts.close())
  const recordings = join(scratch.path, 'recordings')
  const decisions = await openTestDecisions(rig, { database })
  const gateUrls = () => listGateUrls(database)
  const free = createFreeWebhooks({ database, allow: ['127.0.0.0/8'], own: undefined, gateUrls })
  rig.defer(() => free.close())
  const http = await openHttp({
    host: '127.0.0.1',
    port: 0,
    adminKey: ADMIN_KEY,
    trustProxy: [],
    log: silentLog(),
    database,
    calls: undefined,
    command: async (callId, command) => void commands.push({ callId, command }),
    flush: async () => {},
    recordings,
    locale: 'pt-BR',
    mainPorts: [18180, 18181],
    entrances: {
      refresh: async () => ({ opened: [], closed: [], failed: [] }),
      restart: async () => ({ opened: [], closed: [], failed: [] }),
      isOpen: () => ({ visitor: true, resident: true }),
    },
    outbound: outboundOn(database),
    accounts: createAccounts({ database, own: {} }),
    media: createReceivedMedia({ http: { request: async () => FILE } }),
    admit: createAdmission({
      endpoints: createEndpointTargets({ database }),
      accounts: createAccounts({ database, own: {} }),
      ownEndpoint: false,
      free,
    }),
    refusalOf: createEgressGuard({ allow: [] }).refusalOf,
    charts,
    openGate: decisions.openByHand,
    status: () => ({ status: 'running' }),
    hasAccount: async () => false,
    lacks: () => [],
    metrics: { contentType: 'text/plain', text: async () => 'up 1\n' },
    extras: [],
    ...options,
  })
  rig.defer(() => http.close())
  const ask = asker(http.port, ADMIN_KEY)
  return {
    database,
    port: http.port,
    close: () => http.close(),
    ask,
    recordings,
    /** What reached the calls. */
    commands,
    /** Asks with a new key. */
    async as(tenantId: string | null, ...scopes: Scope[]) {
      const { id, plain } = await createKey(database, { tenantId, name: `key of ${tenantId}`, scopes })
      return { id, plain, ask: asker(http.port, plain) }
    },
  }
}

type TestDatabase = Awaited<ReturnType<typeof openTestDatabase>>

/** Moves rows as the queue does, without a queue: these tests are about who may ask for it. */
function outboundOn(database: TestDatabase): MessageRoutesOptions['outbound'] {
  const change = async (id: string, status: 'pending' | 'cancelled') => {
    const found = await findMessage(database, id)
    if (!found) throw fail('MESSAGE_UNKNOWN', { messageId: id })
    await changeMessages(database, [{ id, status, jobId: id, attemptsBefore: found.attempts }])
    return { ...found, status }
  }
  return {
    enqueue: async ({ tenantId, channel, to }) => ({
      id: await addMessage(database, { tenantId, channel, to }),
      status: 'pending',
      duplicate: false,
    }),
    retry: (id) => change(id, 'pending'),
    cancel: (id) => change(id, 'cancelled'),
    redrive: (filter) =>
      database.transaction(async (transaction) => {
        const dead = await lockMatching(transaction, {
          ...filter,
          status: 'failed',
          until: new Date(),
          limit: 1000,
        })
        await changeMessages(
          transaction,
          dead.map(({ id, attempts }) => ({ id, status: 'pending', jobId: id, attemptsBefore: attempts })),
        )
        return dead.length
      }),
    async pause(scope) {
      await addPause(database, scope)
      return listPauses(database, scope.tenantId ?? undefined)
    },
    async resume(scope) {
      await deletePause(database, scope)
      return listPauses(database, scope.tenantId ?? undefined)
    },
    stats: async (tenantId) => ({
      processed: 7,
      failed: 1,
      size: 0,
      processing: 3,
      oldestSeconds: null,
      queues: [{ name: 'incoming', size: 9, processing: 3, dead: 0 }],
      tenants: [],
      priorities: [],
      workers: [],
      pauses: await listPauses(database, tenantId),
    }),
  }
}

/** A message as it lies in its table; resolves with its id. */
export async function addMessage(
  database: TestDatabase,
  row: { tenantId: string; channel?: string; to?: string; status?: string },
): Promise<string> {
  const id = crypto.randomUUID()
  await database.query(
    `insert into messages (id, job_id, tenant_id, instance_id, channel, recipient, body, priority, status, max_retries,
       retry_delay_ms, queue, created_at, updated_at)
     values ($1, $1, $2, 'default', $3, $4, '{"text":"oi"}', 0, $5, 5, 1000, 'outgoing', now(), now())`,
    [id, row.tenantId, row.channel ?? 'whatsapp', row.to ?? '+5511987654321', row.status ?? 'pending'],
  )
  return id
}
