import type { Transaction } from '../platform/postgres/index.ts'

/** What is put into a queue. */
export interface NewJob {
  id: string
  data: object
  /** Jobs of one group take turns with those of others, so that no group holds up another. */
  group?: string
  /** 0 to 10; higher goes first. */
  priority?: number
  /** Not before. */
  startAfter?: Date
}

/** What was taken from one, until it is acknowledged or given back. */
export interface Job {
  readonly id: string
  readonly queue: string
  readonly data: unknown
  /** How often it was taken before; with the id it names this claim. */
  readonly claims: number
}

interface Demand {
  limit: number
  minPriority?: number | undefined
  maxPriority?: number | undefined
  /** Groups that are not wanted now. */
  ignoreGroups?: readonly string[]
}

/**
 * The one face of whatever keeps the jobs. A job that was taken and is neither acknowledged, given back nor held on to
 * within the backend's own time comes back by itself: its worker is dead. Every call may be repeated after a failure.
 */
export interface Queue {
  /** Jobs whose id is there already are left out. */
  enqueue(queue: string, jobs: readonly NewJob[], transaction?: Transaction): Promise<void>
  /** The highest priority first, then the oldest. */
  dequeue(queue: string, demand: Demand): Promise<Job[]>
  /** Done with; a claim that has lapsed is left alone. */
  ack(jobs: readonly Job[], transaction?: Transaction): Promise<void>
  /** Back into the queue as if it had not been taken. */
  nack(jobs: readonly Job[], reason: string): Promise<void>
  /** Still being worked on. */
  hold(jobs: readonly Job[]): Promise<void>
  /** Out of the queue, whatever their state. */
  remove(queue: string, ids: readonly string[], transaction?: Transaction): Promise<void>
  /** Hears the name of a queue that has something new, or undefined when any may. Returns its end. */
  onReady(listener: (queue: string | undefined) => void): () => void
}
