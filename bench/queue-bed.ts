import { PgBoss } from 'pg-boss'
import { Agent, request } from 'undici'
import type { ChannelSender } from '../src/outbound/message.ts'
import { createOutbound, type Outbound } from '../src/outbound/outbound.ts'
import { silentLog } from '../src/platform/log.ts'
import type { Database } from '../src/platform/postgres/database.ts'
import { type Child, startChild } from './child.ts'
import { openBenchDatabase, rawSchema } from './database.ts'

/** What every message and every raw job carries. */
export const BODY = {
  event: 'call.ended',
  call_id: '9f1c2a44-5a1e-4c1b-9d7e-0a1b2c3d4e5f',
  outcome: 'authorized',
}
/** More than a worker has under way, so that nothing waits for a connection. */
const CONNECTIONS = 400

/** Sends one post to the peer, or to another one; resolves with when it arrived there, in ns of the machine's clock. */
export type Post = (path: string, signal?: AbortSignal, to?: string) => Promise<bigint>

export interface QueueBed {
  database: Database
  /** Nothing works on it until a worker is made. */
  outbound: Outbound
  /** As fast as pg-boss goes: each queue partitioned and notified, and no table beside it. */
  raw: PgBoss
  peer: Child
  /** Of the peer. */
  origin: string
  post: Post
}

/** The queue and a raw pg-boss on one Postgres, over one HTTP peer in a process of its own. */
export async function openQueueBed(owner: AsyncDisposableStack, rawQueues: string[]): Promise<QueueBed> {
  const database = await openBenchDatabase(owner)
  const outbound = await createOutbound({
    database,
    log: silentLog(),
    node: 'bench',
    works: true,
    retryLimit: 5,
    retryDelayMs: 10_000,
  })
  owner.defer(() => outbound.close())
  const raw = new PgBoss({
    connectionString: database.url,
    schema: rawSchema(database),
    useListenNotify: true,
    schedule: false,
  })
  owner.defer(() => raw.stop({ graceful: false, close: true }))
  raw.on('error', () => {})
  await raw.start()
  for (const name of rawQueues) await raw.createQueue(name, { partition: true, notify: true })
  const peer = startChild('queue-peer.ts')
  owner.defer(() => peer.close())
  const agent = new Agent({ connections: CONNECTIONS })
  owner.defer(() => agent.destroy())
  const origin = await originOf(peer)
  return {
    database,
    outbound,
    raw,
    peer,
    origin,
    async post(path, signal, to = origin) {
      const { headers, body } = await request(`${to}${path}`, {
        method: 'POST',
        body: JSON.stringify(BODY),
        dispatcher: agent,
        ...(signal && { signal }),
      })
      await body.dump()
      return BigInt(String(headers['arrived']))
    },
  }
}

export const originOf = async (peer: Child) => `http://127.0.0.1:${await peer.ask<number>('port')}`

export function sender(channel: ChannelSender['channel'], send: ChannelSender['send']): ChannelSender {
  return { channel, send, async close() {} }
}
