import { randomUUID } from 'node:crypto'
import { asPorteiroError, type ErrorCode, fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { messagesOf, readStreamWord } from './codec.ts'
import type { Presence } from './presence.ts'
import { createStreamGiving } from './publisher.ts'
import type { Requests } from './requests.ts'
import type { NodeRow } from './sql/nodes.ts'
import type { Signals } from './topics.ts'

/** ms between two renewals of what is taken, and two looks for processes that came. */
const RENEW_MS = 5000
/** ms after which what was not renewed ends: three are missed. */
const LEASE_MS = 16_000

/** Errors of asking that are over by themselves. */
const PASSING: readonly ErrorCode[] = ['CALL_ELSEWHERE_SILENT', 'DATABASE_UNREACHABLE', 'DATABASE_QUERY']

export interface TakeOptions {
  name: string
  /** Plain data: what is wanted. */
  input: unknown
  /** Messages of one process, each one JSON text, in their order. */
  hear: (messages: readonly string[], instance: string) => void
  /** A process gives from now on; what it told before, it tells anew. */
  opened?: (instance: string) => void
  /** A process gives no more: it ended, or something was lost. Where it lives, it is asked again. */
  lost?: (instance: string) => void
}

export interface Taking {
  /** Resolves once every process that was there has answered, or did not in time. */
  readonly ready: Promise<void>
  /** The processes that give. */
  instances(): string[]
  /** Errors: STREAM_OVER, CALL_ELSEWHERE_SILENT, and those of whoever gives. */
  ask(instance: string, question: unknown): Promise<unknown>
  close(): void
}

interface StreamsOptions {
  signals: Signals
  presence: Pick<Presence, 'instance' | 'list' | 'known'>
  requests: Pick<Requests, 'offer' | 'askOne'>
  log: Logger
  /** ms, where a test has less patience. */
  renewMs?: number
  leaseMs?: number
}

export type Streams = ReturnType<typeof createStreams>

/** One stream as one process gives it. */
interface Taken {
  readonly taking: Internal
  readonly node: NodeRow
  /** It was told that it is given. */
  isOpen: boolean
  /** Of the next word. */
  number: number
  parts: string[]
  renewedAt: number
}

interface Internal extends TakeOptions {
  /** Ids in `all`, by process. */
  readonly taken: Map<string, string>
  /** Processes that give no such stream, or refused it. */
  readonly without: Set<string>
}

/**
 * What one process tells others for as long as they want it: live actors, levels. Asked for and renewed over `requests`,
 * told by NOTIFY, in order; whatever is lost on the way ends the stream, and it begins anew.
 */
export function createStreams(options: StreamsOptions) {
  const { signals, presence, requests, log, renewMs = RENEW_MS, leaseMs = LEASE_MS } = options
  const giving = createStreamGiving({ signals, leaseMs, log })
  const takings = new Set<Internal>()
  const all = new Map<string, Taken>()

  requests.offer({
    'stream.open': async (asked) => giving.open(asked as Parameters<typeof giving.open>[0]),
    'stream.ask': async (asked) => {
      const { id, question } = asked as { id: string; question: unknown }
      return giving.ask(id, question)
    },
    'stream.renew': async (ids) => giving.renew(ids as string[]),
    'stream.close': async (ids) => {
      for (const id of ids as string[]) giving.end(id)
    },
  })

  const begin = async (taking: Internal, node: NodeRow) => {
    const { instance } = node
    const id = randomUUID()
    taking.taken.set(instance, id)
    const taken = { taking, node, isOpen: false, number: 0, parts: [], renewedAt: performance.now() }
    all.set(id, taken)
    try {
      const { name, input } = taking
      const given = await requests.askOne(node, 'stream.open', { id, name, to: presence.instance, input })
      if (!all.has(id)) return void release(node, [id])
      if (given !== true) {
        taking.without.add(instance)
        forget(id)
      } else {
        Object.assign(taken, { isOpen: true, renewedAt: performance.now() })
        taking.opened?.(instance)
      }
    } catch (error) {
      const { code } = asPorteiroError(error)
      const facts = { node: node.nodeId, stream: taking.name, code, reason: reasonOf(error) }
      // who is silent, or has no database, is asked again; a refusal stands
      if (PASSING.includes(code)) log.debug(facts, 'another process was asked in vain')
      else {
        log.warn(facts, 'another process refuses to tell')
        taking.without.add(instance)
      }
      drop(id)
    }
  }

  /** Asks whoever is all open and was not asked. */
  const extend = async (taking: Internal, nodes: readonly NodeRow[]) => {
    if (!takings.has(taking)) return
    const fresh = nodes.filter(
      ({ instance, status }) =>
        instance !== presence.instance &&
        status !== null &&
        !taking.taken.has(instance) &&
        !taking.without.has(instance),
    )
    await Promise.all(fresh.map((node) => begin(taking, node)))
  }

  const forget = (id: string): Taken | undefined => {
    const taken = all.get(id)
    all.delete(id)
    taken?.taking.taken.delete(taken.node.instance)
    return taken
  }

  /** Wants a stream no more. Whoever has heard some of it is told, and never hears the rest. */
  const drop = (id: string): Taken | undefined => {
    const taken = forget(id)
    if (!taken) return undefined
    const { taking, node } = taken
    void release(node, [id])
    if (takings.has(taking) && (taken.isOpen || taken.number > 0)) taking.lost?.(node.instance)
    return taken
  }

  /** Something of it is missing. */
  const lose = (id: string) => {
    const taken = drop(id)
    if (taken) void extend(taken.taking, presence.known())
  }

  /** A giver that does not hear it ends by itself. */
  const release = async (node: NodeRow, ids: readonly string[]) => {
    await requests.askOne(node, 'stream.close', ids).catch(() => {})
  }

  /** Only what the giver does not know any more is lost; one that is silent has until the lease is over. */
  const renewAt = async (theirs: readonly [string, Taken][]) => {
    const [[, { node }]] = theirs as [[string, Taken]]
    const ids = theirs.map(([id]) => id)
    const given = await requests.askOne(node, 'stream.renew', ids).catch(() => undefined)
    const now = performance.now()
    for (const [id, taken] of theirs) {
      if ((given as string[] | undefined)?.includes(id)) taken.renewedAt = now
      else if (given !== undefined || now - taken.renewedAt > leaseMs) lose(id)
    }
  }

  const renew = async () => {
    const open = [...all].filter(([, { isOpen }]) => isOpen)
    const byInstance = Map.groupBy(open, ([, { node }]) => node.instance)
    await Promise.all([
      ...[...byInstance.values()].map(renewAt),
      ...[...takings].map((taking) => extend(taking, presence.known())),
    ])
  }

  let renewing = false
  const timer = setInterval(() => {
    if (renewing || takings.size === 0) return
    renewing = true
    void renew().finally(() => {
      renewing = false
    })
  }, renewMs)

  const unheard = signals.on('stream', (word) => {
    // the connection was away: nobody knows what came meanwhile
    if (word === undefined) {
      for (const id of [...all.keys()]) lose(id)
      return
    }
    const read = readStreamWord(word)
    const taken = read && all.get(read.stream)
    if (!read || !taken) return
    if (read.number !== taken.number || read.mark === '!') return lose(read.stream)
    taken.number++
    taken.parts.push(read.part)
    if (read.mark === '+') return
    const messages = messagesOf(taken.parts)
    taken.parts = []
    taken.taking.hear(messages, taken.node.instance)
  })

  return {
    instance: presence.instance,
    /** This process gives streams of this name from now on. */
    serve: giving.serve,
    /** Takes a stream from every other process that gives it, those that come later too. */
    take(wanted: TakeOptions): Taking {
      const taking: Internal = { ...wanted, taken: new Map(), without: new Set() }
      takings.add(taking)
      const ready = presence.list().then(
        (nodes) => extend(taking, nodes),
        (error) => log.debug({ reason: reasonOf(error) }, 'the other processes are not known'),
      )
      return {
        ready,
        instances: () =>
          [...taking.taken].filter(([, id]) => all.get(id)!.isOpen).map(([instance]) => instance),
        async ask(instance, question) {
          const id = taking.taken.get(instance)
          if (id === undefined) throw fail('STREAM_OVER')
          return requests.askOne(all.get(id)!.node, 'stream.ask', { id, question })
        },
        close() {
          takings.delete(taking)
          for (const id of [...taking.taken.values()]) drop(id)
        },
      }
    },
    counts: () => ({ given: giving.count(), taken: all.size }),
    /** Tells every taker that it is over. */
    async close() {
      clearInterval(timer)
      unheard()
      for (const taking of takings) taking.taken.clear()
      takings.clear()
      all.clear()
      await giving.close()
    },
  }
}
