import type { Transaction } from '../platform/postgres/index.ts'

/** A job to enqueue. */
export interface NewJob {
  id: string
  data: object
  /** Groups take turns, so that no group delays another. */
  group?: string
  /** 0 to 10; higher goes first. */
  priority?: number
  /** Earliest start. */
  startAfter?: Date
}

/** A fetched job, until it is acknowledged or given back. */
export interface Job {
  readonly id: string
  readonly queue: string
  readonly data: unknown
  /** How often the job was fetched before; with the id it identifies this claim. */
  readonly claims: number
}

interface Demand {
  limit: number
  minPriority?: number | undefined
  maxPriority?: number | undefined
  /** Groups to leave in the queue. */
  ignoreGroups?: readonly string[]
}

/**
 * The interface of the job store. A fetched job that is neither acknowledged, given back nor touched within the backend's
 * own time returns to the queue by itself: its worker is dead. Every call may be repeated after a failure.
 */
export interface Queue {
  /** Skips jobs whose id exists already. */
  enqueue(queue: string, jobs: readonly NewJob[], transaction?: Transaction): Promise<void>
  /** The highest priority first, then the oldest. */
  dequeue(queue: string, demand: Demand): Promise<Job[]>
  /** The jobs are done; lapsed claims are ignored. */
  ack(jobs: readonly Job[], transaction?: Transaction): Promise<void>
  /** Puts the jobs back as if they had not been fetched. */
  nack(jobs: readonly Job[], reason: string): Promise<void>
  /** The jobs are still in work: their claims are extended. */
  touch(jobs: readonly Job[]): Promise<void>
  /** Deletes the jobs, whatever their state. */
  remove(queue: string, ids: readonly string[], transaction?: Transaction): Promise<void>
  /** Calls `listener` with the name of a queue that has new jobs, or undefined when any queue may. Returns unsubscribe. */
  onReady(listener: (queue: string | undefined) => void): () => void
}
