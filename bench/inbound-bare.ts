/** The baseline of the inbound bench: fastify as it comes, one insert a post, and nothing else. */
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import pg from 'pg'
import { answer, createMeter } from './child.ts'
import type { Stored } from './inbound.ts'

/** Connections to Postgres, as many as the service has. */
const CONNECTIONS = 10

const used = createMeter()
const app = fastify({ forceCloseConnections: true })
let pool: pg.Pool | undefined

answer(
  {
    async start({ url }: { url: string }) {
      const posts = new pg.Pool({ connectionString: url, max: CONNECTIONS })
      pool = posts
      await posts.query(
        'create table bare_posts (id uuid primary key, body jsonb not null, received_at timestamptz not null default now())',
      )
      app.post('*', async (request, reply) => {
        await posts.query('insert into bare_posts (id, body) values ($1, $2)', [randomUUID(), request.body])
        return reply.send('')
      })
      await app.listen({ host: '127.0.0.1', port: 0 })
      return (app.server.address() as AddressInfo).port
    },
    async collect(): Promise<Stored> {
      const { rows } = await pool!.query('select count(*)::int as count from bare_posts')
      await pool!.query('truncate bare_posts')
      return { rows: rows[0].count, jobs: rows[0].count }
    },
    used,
  },
  async () => {
    await app.close()
    await pool?.end()
  },
)
