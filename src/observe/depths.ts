import { Gauge, type Registry } from 'prom-client'
import { withTimeout } from '../platform/time.ts'

/** Messages or jobs of one queue, priority and status. */
export interface QueueCount {
  queue: string
  priority: number
  status: string
  count: number
  /** Age of the oldest, s. */
  oldestSeconds: number
}

/** Counts are reused for this many ms: two scrapers, or an impatient one, cost one query. */
const FRESH_MS = 5000
/** Limit in ms for the database; after it a scrape omits the depths and returns the rest. */
const ANSWER_MS = 2000
/** Statuses of unsent messages. */
const WAITING = ['pending', 'retrying']

/** Counts unsent and failed messages and jobs by queue, priority and status, and the age of the oldest waiting one. */
export function createDepths(
  registry: Registry,
  { counts }: { counts(): Promise<readonly QueueCount[]> },
): void {
  let asked: { at: number; answer: Promise<readonly QueueCount[]> } | undefined
  let answered = true
  const recent = () => {
    const now = performance.now()
    // no second query while the database has not answered the first
    if (!asked || (answered && now - asked.at > FRESH_MS)) {
      const answer = counts()
      asked = { at: now, answer }
      answered = false
      answer.then(
        () => {
          answered = true
        },
        () => {
          answered = true
          asked = undefined
        },
      )
    }
    return asked.answer
  }
  const read = () => withTimeout(ANSWER_MS, recent()).catch(() => undefined)

  new Gauge({
    name: 'porteiro_queue_messages',
    help: 'Messages and jobs by queue, priority and status, but for those that were sent or done.',
    labelNames: ['queue', 'priority', 'status'],
    registers: [registry],
    async collect() {
      const found = await read()
      this.reset()
      // sums over tenants
      for (const { queue, priority, status, count } of found ?? [])
        this.inc({ queue, priority, status }, count)
    },
  })
  new Gauge({
    name: 'porteiro_queue_oldest_seconds',
    help: 'Age of the oldest message or job of a queue that waits.',
    labelNames: ['queue'],
    registers: [registry],
    async collect() {
      const found = await read()
      this.reset()
      const oldest = new Map<string, number>()
      for (const { queue, status, oldestSeconds } of found ?? []) {
        const age = WAITING.includes(status) ? oldestSeconds : 0
        oldest.set(queue, Math.max(age, oldest.get(queue) ?? 0))
      }
      for (const [queue, seconds] of oldest) this.set({ queue }, seconds)
    },
  })
}
