import { randomUUID } from 'node:crypto'
import { asPorteiroError, type ErrorCode, fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { messagesOf, readStreamWord } from './codec.ts'
import type { Presence } from './presence.ts'
import { createPublishers } from './publisher.ts'
import type { Requests } from './requests.ts'
import type { NodeRow } from './sql/nodes.ts'
import type { Topics } from './topics.ts'

/** ms between two renewals of open streams, and between two checks for new processes. */
const RENEW_MS = 5000
/** ms after which a stream that was not renewed ends: three renewals were missed. */
const LEASE_MS = 16_000

/** Errors of a request that pass by themselves. */
const PASSING: readonly ErrorCode[] = ['CALL_ELSEWHERE_SILENT', 'DATABASE_UNREACHABLE', 'DATABASE_QUERY']

export interface SubscribeOptions {
  name: string
  /** Plain data for the publisher: what to publish. */
  input: unknown
  /** Messages of one process, each one JSON text, in their order. */
  onMessages: (messages: readonly string[], instance: string) => void
  /** The stream of a process is open from now on; the process publishes again what it had published before. */
  opened?: (instance: string) => void
  /** The stream of a process is over: the process ended, or a word was lost. A process that is alive is asked again. */
  lost?: (instance: string) => void
}

export interface Subscription {
  /** Resolves once every process that was there has answered, or its time to answer is over. */
  readonly ready: Promise<void>
  /** The processes whose streams are open. */
  instances(): string[]
  /** Errors: STREAM_OVER, CALL_ELSEWHERE_SILENT, and those of the publisher. */
  ask(instance: string, question: unknown): Promise<unknown>
  close(): void
}

interface StreamsOptions {
  topics: Topics
  presence: Pick<Presence, 'instance' | 'list' | 'known'>
  requests: Pick<Requests, 'offer' | 'askOne'>
  log: Logger
  /** Shorter in tests. */
  renewMs?: number
  leaseMs?: number
}

export type Streams = ReturnType<typeof createStreams>

/** The stream of one process for one subscription. */
interface IncomingStream {
  readonly subscription: OpenSubscription
  readonly node: NodeRow
  /** The publisher has confirmed it. */
  isOpen: boolean
  /** Number of the next word. */
  number: number
  parts: string[]
  renewedAt: number
}

interface OpenSubscription extends SubscribeOptions {
  /** Ids in `all`, by process. */
  readonly streams: Map<string, string>
  /** Processes that have no such stream, or refused it. */
  readonly without: Set<string>
}

/**
 * Streams that one process publishes to others while they subscribe: live actors, levels. They are opened and renewed by
 * `requests`, and published by NOTIFY, in order. A lost word ends the stream, and it is opened again.
 */
export function createStreams(options: StreamsOptions) {
  const { topics, presence, requests, log, renewMs = RENEW_MS, leaseMs = LEASE_MS } = options
  const publishers = createPublishers({ topics, leaseMs, log })
  const subscriptions = new Set<OpenSubscription>()
  const all = new Map<string, IncomingStream>()

  requests.offer({
    'stream.open': async (asked) => publishers.open(asked as Parameters<typeof publishers.open>[0]),
    'stream.ask': async (asked) => {
      const { id, question } = asked as { id: string; question: unknown }
      return publishers.ask(id, question)
    },
    'stream.renew': async (ids) => publishers.renew(ids as string[]),
    'stream.close': async (ids) => {
      for (const id of ids as string[]) publishers.end(id)
    },
  })

  const begin = async (subscription: OpenSubscription, node: NodeRow) => {
    const { instance } = node
    const id = randomUUID()
    subscription.streams.set(instance, id)
    const stream = { subscription, node, isOpen: false, number: 0, parts: [], renewedAt: performance.now() }
    all.set(id, stream)
    try {
      const { name, input } = subscription
      const opened = await requests.askOne(node, 'stream.open', { id, name, to: presence.instance, input })
      if (!all.has(id)) return void release(node, [id])
      if (opened !== true) {
        subscription.without.add(instance)
        forget(id)
      } else {
        Object.assign(stream, { isOpen: true, renewedAt: performance.now() })
        subscription.opened?.(instance)
      }
    } catch (error) {
      const { code } = asPorteiroError(error)
      const facts = { node: node.nodeId, stream: subscription.name, code, reason: reasonOf(error) }
      // a process that is silent, or without a database, is asked again; a refusal stands
      if (PASSING.includes(code)) log.debug(facts, 'another process did not answer')
      else {
        log.warn(facts, 'another process refused a stream')
        subscription.without.add(instance)
      }
      drop(id)
    }
  }

  /** Asks the processes that have started fully and were not asked yet. */
  const extend = async (subscription: OpenSubscription, nodes: readonly NodeRow[]) => {
    if (!subscriptions.has(subscription)) return
    const fresh = nodes.filter(
      ({ instance, status }) =>
        instance !== presence.instance &&
        status !== null &&
        !subscription.streams.has(instance) &&
        !subscription.without.has(instance),
    )
    await Promise.all(fresh.map((node) => begin(subscription, node)))
  }

  const forget = (id: string): IncomingStream | undefined => {
    const stream = all.get(id)
    all.delete(id)
    stream?.subscription.streams.delete(stream.node.instance)
    return stream
  }

  /** Gives a stream up. A subscriber that had messages of it learns that it is lost, and gets no more of them. */
  const drop = (id: string): IncomingStream | undefined => {
    const stream = forget(id)
    if (!stream) return undefined
    const { subscription, node } = stream
    void release(node, [id])
    if (subscriptions.has(subscription) && (stream.isOpen || stream.number > 0))
      subscription.lost?.(node.instance)
    return stream
  }

  /** A word of the stream is missing. */
  const lose = (id: string) => {
    const stream = drop(id)
    if (stream) void extend(stream.subscription, presence.known())
  }

  /** A publisher that misses it ends the stream when nobody renews it. */
  const release = async (node: NodeRow, ids: readonly string[]) => {
    await requests.askOne(node, 'stream.close', ids).catch(() => {})
  }

  /** A stream is lost when its publisher does not know it any more; a silent publisher has until the lease is over. */
  const renewAt = async (theirs: readonly [string, IncomingStream][]) => {
    const [[, { node }]] = theirs as [[string, IncomingStream]]
    const ids = theirs.map(([id]) => id)
    const renewed = await requests.askOne(node, 'stream.renew', ids).catch(() => undefined)
    const now = performance.now()
    for (const [id, stream] of theirs) {
      if ((renewed as string[] | undefined)?.includes(id)) stream.renewedAt = now
      else if (renewed !== undefined || now - stream.renewedAt > leaseMs) lose(id)
    }
  }

  const renew = async () => {
    const open = [...all].filter(([, { isOpen }]) => isOpen)
    const byInstance = Map.groupBy(open, ([, { node }]) => node.instance)
    await Promise.all([
      ...[...byInstance.values()].map(renewAt),
      ...[...subscriptions].map((subscription) => extend(subscription, presence.known())),
    ])
  }

  let renewing = false
  const timer = setInterval(() => {
    if (renewing || subscriptions.size === 0) return
    renewing = true
    void renew().finally(() => {
      renewing = false
    })
  }, renewMs)

  const unsubscribe = topics.subscribe('stream', (word) => {
    // the connection was lost, and any word may have been missed
    if (word === undefined) {
      for (const id of [...all.keys()]) lose(id)
      return
    }
    const read = readStreamWord(word)
    const stream = read && all.get(read.stream)
    if (!read || !stream) return
    if (read.number !== stream.number || read.mark === '!') return lose(read.stream)
    stream.number++
    stream.parts.push(read.part)
    if (read.mark === '+') return
    const messages = messagesOf(stream.parts)
    stream.parts = []
    stream.subscription.onMessages(messages, stream.node.instance)
  })

  return {
    instance: presence.instance,
    /** This process publishes streams of this name from now on. */
    serve: publishers.serve,
    /** Subscribes to this stream of every other process that publishes it, including processes that start later. */
    subscribe(wanted: SubscribeOptions): Subscription {
      const subscription: OpenSubscription = { ...wanted, streams: new Map(), without: new Set() }
      subscriptions.add(subscription)
      const ready = presence.list().then(
        (nodes) => extend(subscription, nodes),
        (error) => log.debug({ reason: reasonOf(error) }, 'the other processes are not known'),
      )
      return {
        ready,
        instances: () =>
          [...subscription.streams].filter(([, id]) => all.get(id)!.isOpen).map(([instance]) => instance),
        async ask(instance, question) {
          const id = subscription.streams.get(instance)
          if (id === undefined) throw fail('STREAM_OVER')
          return requests.askOne(all.get(id)!.node, 'stream.ask', { id, question })
        },
        close() {
          subscriptions.delete(subscription)
          for (const id of [...subscription.streams.values()]) drop(id)
        },
      }
    },
    counts: () => ({ published: publishers.count(), subscribed: all.size }),
    /** Notifies every subscriber that its stream is over. */
    async close() {
      clearInterval(timer)
      unsubscribe()
      for (const subscription of subscriptions) subscription.streams.clear()
      subscriptions.clear()
      all.clear()
      await publishers.close()
    },
  }
}
