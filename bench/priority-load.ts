/**
 * Other clients of Postgres, in a process of their own: each of them writes and commits at a steady pace, between `start` and `stop`,
 * which resolves with the number of transactions.
 */
import pg from 'pg'
import { answer } from './child.ts'

const CLIENTS = 4
/** ms between two transactions of a client, and rows that each of them inserts and changes. */
const EVERY_MS = 10
const ROWS = 20

const [url, schema] = process.argv.slice(2)
const pool = new pg.Pool({ connectionString: url!, max: CLIENTS })
await pool.query(
  `create schema ${schema}; create table ${schema}.load (id bigserial primary key, client int, text text)`,
)
let isRunning = false
let transactions = 0
let running: Promise<void>[] = []

const run = async (client: number) => {
  while (isRunning) {
    const began = performance.now()
    // one statement is one transaction
    await pool.query(
      `with written as (insert into ${schema}.load (client, text) select $1, repeat('x', 200) from generate_series(1, $2))
       update ${schema}.load set text = repeat('y', 200) where id in (
         select id from ${schema}.load where client = $1 order by id desc limit $2
       )`,
      [client, ROWS],
    )
    transactions++
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, EVERY_MS - (performance.now() - began))))
  }
}

answer(
  {
    start: () => {
      isRunning = true
      running = Array.from({ length: CLIENTS }, (_, client) => run(client))
    },
    stop: async () => {
      isRunning = false
      await Promise.all(running)
      return transactions
    },
  },
  () => {
    isRunning = false
    void pool.end()
  },
)
