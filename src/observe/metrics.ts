import { Counter, Gauge, type Histogram, Registry } from 'prom-client'
import { OUTCOMES } from '../../machines/index.ts'
import { FRAME_MS, type Role } from '../platform/audio.ts'
import { createDepths, type QueueCount } from './depths.ts'
import { processRegistry } from './process-metrics.ts'
import type { Timings } from './timings.ts'

/** The current state has the value 1, the others 0. */
export const BROKER_STATES = [
  'connecting',
  'open',
  'blocked',
  'stuck',
  'recovering',
  'failed',
  'closing',
  'closed',
] as const
/** Buckets in ms. A phone's jitter buffer absorbs 60, a good one 100. */
const LATENESS_MS = [1, 2.5, 5, 10, 20, 40, 60, 100, 200]
const ROLES: readonly Role[] = ['visitor', 'resident']

/** The counted properties of a live call. */
interface CountedCall {
  readonly actor: { getSnapshot(): { value: unknown } }
  readonly legs: ReadonlyMap<Role, unknown>
}

/** The counted properties of a speech provider. */
interface CountedSpeech {
  provider: string
  ready: boolean
  active: number
  waiting: number
  requests: number
  failures: number
}

/** Sources that are read at each scrape. Omitted sources have no metrics. */
export interface MetricsSources {
  /** The outer states of a call. */
  callStates: readonly string[]
  calls: { list(): readonly CountedCall[]; counts(): { outcomes: Readonly<Record<string, number>> } }
  pacer: {
    lateness(): { p50: number; p99: number; max: number }
    latenessWithin(limits: readonly number[]): { within: number[]; count: number; sum: number }
  }
  media: {
    counts(): {
      refused: Readonly<Record<string, number>>
      /** `delays`: seconds of sound that waited up to 20 ms, 40 ms and so on. */
      talks: { dropped: number; skipped: number; concealed: number; delays: readonly number[] }
    }
  }
  /** Undefined: it has not happened. */
  faults(): { mainBlocked: { count: number } | undefined; mediaDied: { count: number } | undefined }
  journal: { counts(): { waiting: number; lost: number } }
  pool: { readonly totalCount: number; readonly idleCount: number; readonly waitingCount: number }
  broker: { describe(): { state: string; losses: number } } | undefined
  speech?: { tts(): CountedSpeech; stt(): CountedSpeech } | undefined
  /** Counts of unsent and failed messages; queried at most every 5 s. */
  queue?: { counts(): Promise<readonly QueueCount[]> } | undefined
  timings?: Timings | undefined
}

/** Sources of nodes that take calls. */
type OfVoice = 'callStates' | 'calls' | 'pacer' | 'media' | 'broker' | 'faults'

export interface Metrics {
  readonly contentType: string
  /** Everything in Prometheus' text format. */
  text(): Promise<string>
}

type Values = Readonly<Record<string, number>>

/** The Prometheus metrics of one service. Values are read at scrape time; calls and frames pay nothing. */
export function createMetrics({
  callStates,
  calls,
  pacer,
  media,
  faults,
  journal,
  pool,
  broker,
  speech,
  queue,
  timings,
}: Omit<MetricsSources, OfVoice> & Partial<Pick<MetricsSources, OfVoice>>): Metrics {
  const own = new Registry()

  /** One gauge with a value for each of a label's values. */
  const gauges = (name: string, help: string, label: string, read: () => Values) =>
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [own],
      collect() {
        this.reset()
        for (const [key, value] of Object.entries(read())) this.set({ [label]: key }, value)
      },
    })
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [own],
      collect() {
        this.set(read())
      },
    })
  const counters = (name: string, help: string, label: string, read: () => Values) =>
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [own],
      collect() {
        this.reset()
        for (const [key, value] of Object.entries(read())) this.inc({ [label]: key }, value)
      },
    })
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers: [own],
      collect() {
        this.reset()
        this.inc(read())
      },
    })

  if (calls && callStates)
    gauges('porteiro_calls', 'Live calls by their outer state.', 'state', () =>
      counted(
        callStates,
        calls.list().map(({ actor }) => outerState(actor.getSnapshot().value)),
      ),
    )
  if (calls)
    gauges('porteiro_legs', 'Live legs by role.', 'role', () =>
      counted(
        ROLES,
        calls.list().flatMap(({ legs }) => [...legs.keys()]),
      ),
    )
  if (calls)
    counters('porteiro_calls_ended_total', 'Ended calls by outcome.', 'outcome', () => ({
      // reported as 0 from the start, so that a rate includes the first one
      ...counted(OUTCOMES, []),
      ...calls.counts().outcomes,
    }))
  if (pacer)
    gauges(
      'porteiro_frame_lateness_ms',
      'How late frames left since the start, in ms; quantile 1 is the latest one.',
      'quantile',
      () => {
        const { p50, p99, max } = pacer.lateness()
        return { '0.5': p50, '0.99': p99, '1': max }
      },
    )
  if (pacer) registerLateness(own, pacer)
  if (faults) {
    counter(
      'porteiro_main_blocked_total',
      'How often the main thread was blocked for 2 s and more; sound went on.',
      () => faults().mainBlocked?.count ?? 0,
    )
    counter(
      'porteiro_media_thread_deaths_total',
      'How often the media thread died and was started again.',
      () => faults().mediaDied?.count ?? 0,
    )
  }
  if (media) {
    counters(
      'porteiro_audiosocket_refused_total',
      'AudioSocket connections rejected or broken off, by the code of the error.',
      'code',
      () => media.counts().refused,
    )
    counters(
      'porteiro_talk_frames_total',
      'Frames of talks that were lost (dropped), left out in pauses (skipped), or missing and filled (concealed).',
      'what',
      () => {
        const { dropped, skipped, concealed } = media.counts().talks
        return { dropped, skipped, concealed }
      },
    )
    registerTalkDelay(own, () => media.counts().talks.delays)
  }
  gauge('porteiro_journal_waiting', 'Events that wait to be written.', () => journal.counts().waiting)
  counter(
    'porteiro_journal_lost_total',
    'Events dropped because the database was away too long.',
    () => journal.counts().lost,
  )
  gauge('porteiro_database_connections', 'Connections of the pool.', () => pool.totalCount)
  gauge('porteiro_database_connections_idle', 'Connections that nobody uses.', () => pool.idleCount)
  gauge('porteiro_database_waiting', 'Queries that wait for a connection.', () => pool.waitingCount)
  if (broker) {
    gauges('porteiro_broker_state', '1 for the state that the broker is in.', 'state', () =>
      counted(BROKER_STATES, [broker.describe().state]),
    )
    counter(
      'porteiro_broker_losses_total',
      'How often the connection to RabbitMQ was lost.',
      () => broker.describe().losses,
    )
  }
  if (speech) {
    const read = (pick: (status: CountedSpeech) => number) => () => ({
      tts: pick(speech.tts()),
      stt: pick(speech.stt()),
    })
    gauges(
      'porteiro_speech_ready',
      '1 when the speech provider can be asked; 0: none is configured, or it is left alone.',
      'kind',
      read(({ ready }) => Number(ready)),
    )
    gauges(
      'porteiro_speech_active',
      'Requests under way.',
      'kind',
      read(({ active }) => active),
    )
    gauges(
      'porteiro_speech_waiting',
      'Requests that wait for a place.',
      'kind',
      read(({ waiting }) => waiting),
    )
    counters(
      'porteiro_speech_requests_total',
      'Requests to the speech provider.',
      'kind',
      read(({ requests }) => requests),
    )
    counters(
      'porteiro_speech_failures_total',
      'Requests that failed.',
      'kind',
      read(({ failures }) => failures),
    )
  }
  if (queue) createDepths(own, queue)

  const all = Registry.merge([own, processRegistry(), ...(timings ? [timings.registry] : [])])
  return { contentType: all.contentType, text: () => all.metrics() }
}

/** Counts by value; 0 for known values that do not occur. */
function counted(known: readonly string[], found: readonly string[]): Values {
  const counts: Record<string, number> = Object.fromEntries(known.map((key) => [key, 0]))
  for (const key of found) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

function outerState(value: unknown): string {
  return typeof value === 'string' ? value : (Object.keys(value as object)[0] ?? '')
}

/** Exports the pacer's own histogram. */
function registerLateness(registry: Registry, pacer: MetricsSources['pacer']): void {
  registerHistogram(registry, 'porteiro_frame_lateness_seconds', 'How late frames left.', LATENESS_MS, () =>
    pacer.latenessWithin(LATENESS_MS),
  )
}

/** Exports what the jitter buffers counted, once a second of sound. */
function registerTalkDelay(registry: Registry, delays: () => readonly number[]): void {
  const help = 'How long sound of talks waited in its jitter buffer, in each second of it.'
  const limits = delays().map((_, at) => (at + 1) * FRAME_MS)
  registerHistogram(registry, 'porteiro_talk_delay_seconds', help, limits, () => {
    const within: number[] = []
    let [count, sum] = [0, 0]
    for (const [at, seconds] of delays().entries()) {
      count += seconds
      sum += seconds * (at + 0.5) * FRAME_MS
      within.push(count)
    }
    return { within, count, sum }
  })
}

/** A histogram that others have counted, by limits in ms. */
function registerHistogram(
  registry: Registry,
  name: string,
  help: string,
  limits: readonly number[],
  read: () => { within: readonly number[]; count: number; sum: number },
): void {
  const bucket = (le: number | '+Inf', value: number) => ({
    metricName: `${name}_bucket`,
    value,
    labels: { le },
  })
  const get = async () => {
    const { within, count, sum } = read()
    const values = [
      ...within.map((value, at) => bucket(limits[at]! / 1000, value)),
      bucket('+Inf', count),
      { metricName: `${name}_sum`, value: sum / 1000, labels: {} },
      { metricName: `${name}_count`, value: count, labels: {} },
    ]
    return { name, help, type: 'histogram', aggregator: 'sum', values }
  }
  // prom-client's own histogram can only observe single values; a registry only needs these members
  registry.registerMetric({ name, get } as unknown as Histogram)
}
