import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, LookupFunction, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { listGateUrls } from '../../src/gates/sql/gates.ts'
import { createFreeWebhooks } from '../../src/outbound/free-webhooks.ts'
import type { Attempt, Message } from '../../src/outbound/message.ts'
import { createHttpClient } from '../../src/platform/http-client/client.ts'
import { DeliveryError } from '../../src/platform/http-client/delivery-error.ts'
import { createEgressGuard } from '../../src/platform/http-client/egress-guard.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import type { Rig } from './rig.ts'

export interface Received {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: string
}

export interface Peer {
  url: string
  port: number
  received: Received[]
  /** Connections that were made. */
  connections: () => number
  /** Resolves when so many requests have come. */
  count(wanted: number): Promise<Received[]>
}

const tls = (name: string) => readFileSync(fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url)))

/** A receiver on a real socket that answers as it is told; the request has been read whole. */
export async function startPeer(
  rig: Rig,
  answer: (received: Received, response: ServerResponse) => void = (_, response) =>
    response.writeHead(204).end(),
  { secure = false }: { secure?: boolean } = {},
): Promise<Peer> {
  const received: Received[] = []
  const sockets = new Set<Socket>()
  const waiting = new Set<() => void>()
  let connections = 0
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const { method = '', url = '', headers } = request
    const one = { method, path: url, headers, body: Buffer.concat(parts).toString() }
    received.push(one)
    for (const wake of waiting) wake()
    answer(one, response)
  }
  const server = secure
    ? createTlsServer({ key: tls('self-signed.key'), cert: tls('self-signed.crt') }, handle)
    : createServer(handle)
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  rig.defer(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    received,
    connections: () => connections,
    async count(wanted) {
      while (received.length < wanted && !rig.signal.aborted) {
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake)
            rig.signal.removeEventListener('abort', wake)
            resolve()
          }
          waiting.add(wake)
          rig.signal.addEventListener('abort', wake)
        })
      }
      return received
    },
  }
}

/** Names of the test's own, as a resolver would answer them. */
export function resolver(names: Record<string, string | string[]>): LookupFunction {
  return (hostname, options, callback) => {
    const found = names[hostname]
    if (found === undefined) {
      const error: NodeJS.ErrnoException = new Error(`getaddrinfo ENOTFOUND ${hostname}`)
      error.code = 'ENOTFOUND'
      return process.nextTick(callback, error, '', 4)
    }
    const all = [found].flat().map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    if (options.all) process.nextTick(callback, null, all)
    else process.nextTick(callback, null, all[0]!.address, all[0]!.family)
  }
}

/** A client that is closed when the test ends. By default it may reach the peers of the test. */
export function openClient(
  rig: Rig,
  { allow = ['127.0.0.0/8'], names }: { allow?: string[]; names?: Record<string, string | string[]> } = {},
) {
  const guard = createEgressGuard({ allow, ...(names && { resolve: resolver(names) }) })
  const http = createHttpClient({ allow, guard })
  rig.defer(() => http.close())
  return http
}

/** Webhooks to URLs, which may reach the peers of the test where the tenant is `allowed`. */
export function openFree(
  rig: Rig,
  database: Database,
  {
    names,
    own,
    allow = ['127.0.0.0/8'],
  }: { names?: Record<string, string | string[]>; own?: { url: string }; allow?: string[] } = {},
) {
  const resolve = names && resolver(names)
  const gateUrls = () => listGateUrls(database)
  const free = createFreeWebhooks({ database, allow, own, gateUrls, ...(resolve && { resolve }) })
  rig.defer(() => free.close())
  return free
}

/** The DeliveryError with which `promise` fails; the test fails when it does not. */
export async function undeliveredBy(promise: Promise<unknown>): Promise<DeliveryError> {
  const error = await promise.then(
    () => new Error('nothing failed'),
    (thrown) => thrown,
  )
  assert.instance(error, DeliveryError, error instanceof Error ? error.stack : String(error))
  return error as DeliveryError
}

export const first: Attempt = { number: 1, signal: new AbortController().signal }

let made = 0

/** A message as a worker hands it to a channel. */
export function messageOf(fields: Partial<Message> & Pick<Message, 'channel' | 'to' | 'body'>): Message {
  made++
  return {
    id: `0193a0b0-0000-7000-8000-${String(made).padStart(12, '0')}`,
    tenantId: 'default',
    instanceId: 'default',
    priority: 0,
    status: 'processing',
    maxRetries: 5,
    retryDelayMs: 10_000,
    attempts: 1,
    expiresAt: null,
    idempotencyKey: null,
    callId: null,
    providerId: null,
    createdAt: new Date(),
    ...fields,
  }
}
