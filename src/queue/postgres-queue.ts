import { type Transaction, translate } from '../platform/postgres/index.ts'
import type { Boss } from './boss.ts'
import type { Job, Queue } from './queue.ts'

/** The Queue backed by pg-boss, in the same Postgres as everything else. */
export function createPostgresQueue({ boss, taking, within, onReady }: Boss): Queue {
  const db = (transaction?: Transaction) => (transaction ? { db: within(transaction) } : {})
  return {
    onReady,
    async enqueue(queue, jobs, transaction) {
      if (jobs.length === 0) return
      const inserts = jobs.map(({ id, data, group, priority, startAfter }) => ({
        id,
        data,
        ...(priority !== undefined && { priority }),
        ...(startAfter && { startAfter: startAfter.toISOString() }),
        ...(group !== undefined && { group: { id: group } }),
      }))
      await translated(boss.insert(queue, inserts, db(transaction)))
    },
    async dequeue(queue, { limit, minPriority, maxPriority, ignoreGroups }) {
      const jobs = await translated(
        boss.fetch<unknown>(queue, {
          batchSize: limit,
          db: taking,
          ...(minPriority !== undefined && { minPriority }),
          ...(maxPriority !== undefined && { maxPriority }),
          ...(ignoreGroups && ignoreGroups.length > 0 && { ignoreGroups: [...ignoreGroups] }),
        }),
      )
      return jobs.map(({ id, data, retryCount }) => ({ id, queue, data, claims: retryCount }))
    },
    async ack(jobs, transaction) {
      for (const [queue, claims] of byQueue(jobs))
        await translated(boss.complete(queue, claims, null, db(transaction)))
    },
    async nack(jobs, reason) {
      for (const [queue, claims] of byQueue(jobs))
        await translated(boss.fail(queue, claims, { message: reason }))
    },
    async touch(jobs) {
      for (const [queue, claims] of byQueue(jobs)) await translated(boss.touch(queue, claims))
    },
    async remove(queue, ids, transaction) {
      if (ids.length > 0) await translated(boss.deleteJob(queue, [...ids], db(transaction)))
    },
  }
}

/** As claims: pg-boss ignores those that have lapsed. */
function byQueue(jobs: readonly Job[]): Map<string, { id: string; retryCount: number }[]> {
  const queues = new Map<string, { id: string; retryCount: number }[]>()
  for (const { queue, id, claims } of jobs) {
    const list = queues.get(queue) ?? []
    list.push({ id, retryCount: claims })
    queues.set(queue, list)
  }
  return queues
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw translate(error, {})
  }
}
