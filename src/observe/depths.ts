import { Gauge, type Registry } from 'prom-client'
import { withTimeout } from '../platform/time.ts'

/** Messages of one queue, priority and status. */
export interface QueueCount {
  queue: string
  priority: number
  status: string
  count: number
  /** Age of the oldest, s. */
  oldestSeconds: number
}

/** ms for which what was counted is told again: two scrapers, or an impatient one, cost the database one question. */
const FRESH_MS = 5000
/** ms that a scrape waits for the database; after it the depths are left out, and what else there is is told. */
const ANSWER_MS = 2000
/** What still wants to leave. */
const WAITING = ['pending', 'retrying']

/** How many messages there are that were not simply sent, by queue, priority and status, and how old the oldest is that waits. */
export function createDepths(
  registry: Registry,
  { counts }: { counts(): Promise<readonly QueueCount[]> },
): void {
  let asked: { at: number; answer: Promise<readonly QueueCount[]> } | undefined
  let answered = true
  const recent = () => {
    const now = performance.now()
    // a database that hangs is not asked again before it has answered
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
    help: 'Messages by queue, priority and status, but for those that were sent.',
    labelNames: ['queue', 'priority', 'status'],
    registers: [registry],
    async collect() {
      const found = await read()
      this.reset()
      // tenants are summed up
      for (const { queue, priority, status, count } of found ?? [])
        this.inc({ queue, priority, status }, count)
    },
  })
  new Gauge({
    name: 'porteiro_queue_oldest_seconds',
    help: 'Age of the oldest message of a queue that waits.',
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
