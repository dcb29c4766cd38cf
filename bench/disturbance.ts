import { type Child, startChild } from './child.ts'
import { countOf, talk } from './media.ts'
import type { Look } from './media-service.ts'
import { median, type Progress, percentile, type Result } from './result.ts'

export interface DisturbanceOptions {
  legs: number
  rounds: number
  /** Of each measurement. */
  seconds: number
  /** MEDIA_THREADS. */
  threads: string
  progress: Progress
}

interface Measured {
  gapsMs: Record<'p99' | 'p999' | 'max', number>
}

/** What every leg hears, as a multiple of calm; and the longest gap in ms, which a telephone's buffer still covers. */
const GOAL = 1.1
const SETTLE_MS = 3000
const UNITS = 5000
/** ms for which the main thread is blocked, once in each measurement. */
const BLOCKED_MS = 3000
const SCRAPES_MS = 50
/** Legs that play for each talk that is there beside them when the main thread is blocked. */
const PLAYING_A_TALK = 4
/** ms in which keys that were pressed meanwhile must have counted. */
const COUNTED_MS = 20_000

/** Works until it is told to stop; resolves with how often it did so. */
type Disturbance = (api: string, signal: AbortSignal) => Promise<number>

const CALM = 'calm'
const CALM_TALKING = 'calm, with talks'
const BLOCKED = 'main thread blocked for 3 s, talks beside'

const DISTURBANCES: Record<string, Disturbance> = {
  [CALM]: async (_, signal) => {
    await passed(Infinity, signal)
    return 0
  },
  'import of 5,000 units': (api, signal) => {
    const body = JSON.stringify({ units: units() })
    return again(signal, () => post(`${api}/api/directory/import?tenant=bench`, body, 200, signal))
  },
  'directory file with a syntax error': (api, signal) => {
    // its end is missing
    const body = JSON.stringify({ units: units() }).slice(0, -2)
    return again(signal, () => post(`${api}/api/directory/import?tenant=bench`, body, 400, signal))
  },
  'exports and 20 scrapes a second': async (api, signal) => {
    const [exports] = await Promise.all([
      again(signal, () => get(`${api}/api/directory/export?tenant=bench`, signal)),
      again(signal, async () => {
        await get(`${api}/metrics`, signal)
        await passed(SCRAPES_MS, signal)
      }),
    ])
    return exports
  },
  OpenAPI: (api, signal) => again(signal, () => get(`${api}/openapi.json`, signal)),
}

/**
 * What telephones hear while the process does other work, beside what they hear while it does nothing else: a service whose legs
 * all hear a greeting, and its telephones in another process, measured in turns. At last the main thread is blocked, with talks
 * beside the greetings and keys that are pressed meanwhile.
 */
export async function benchDisturbance({
  legs,
  rounds,
  seconds,
  threads,
  progress,
}: DisturbanceOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const start = (file: string) => {
    const child = startChild(file)
    owner.defer(() => child.close())
    return child
  }
  progress('disturbance: starting a service')
  const [phones, talkers, server] = [
    start('media-phones.ts'),
    start('media-phones.ts'),
    start('media-service.ts'),
  ]
  const talks = Math.ceil(legs / PLAYING_A_TALK)
  const scene = { state: 'mixed', legs: legs + talks, idle: 'continuous', threads }
  const port = await server.ask<number>('start', scene)
  const api = `http://127.0.0.1:${await server.ask<number>('api')}`
  await post(`${api}/api/tenants`, JSON.stringify({ id: 'bench', name: 'Bench' }), 201)
  await post(`${api}/api/directory/import?tenant=bench`, JSON.stringify({ units: units() }), 200)

  const seen = new Map<string, Series>()
  const note = (name: string, work: number, ...heard: Measured[]) => {
    const of = seen.get(name) ?? { p99: [], p999: [], max: [], work: [] }
    seen.set(name, of)
    of.work.push(work)
    for (const share of ['p99', 'p999', 'max'] as const)
      of[share].push(Math.max(...heard.map(({ gapsMs }) => gapsMs[share])))
  }
  const lost: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const doing = (name: string) =>
      progress(`disturbance: round ${round} of ${rounds}, ${legs} legs, ${name}`)
    await phones.ask('connect', { port, legs, sound: 'noise' })
    await passed(SETTLE_MS)
    for (const [name, disturb] of Object.entries(DISTURBANCES)) {
      doing(name)
      const ending = new AbortController()
      const measuring = phones.ask<Measured>('measure', { ms: seconds * 1000 })
      const working = disturb(api, ending.signal)
      const heard = await measuring
      ending.abort()
      note(name, await working, heard)
      await passed(SETTLE_MS)
    }

    doing(BLOCKED)
    await talkers.ask('connect', { port, legs: talks, sound: 'speech' })
    await talk(server, talkers, talks, false)
    await passed(SETTLE_MS)
    const all = [phones, talkers]
    const measure = () =>
      Promise.all(all.map((those) => those.ask<Measured>('measure', { ms: seconds * 1000 })))
    note(CALM_TALKING, 0, ...(await measure()))
    const measuring = measure()
    const blocking = server.ask('block', { ms: BLOCKED_MS })
    await passed(BLOCKED_MS / 2)
    await phones.ask('press', { role: 'visitor', keys: '101#' })
    await talkers.ask('press', { role: 'resident', keys: '1' })
    await blocking
    note(BLOCKED, 1, ...(await measuring))
    lost.push(await uncounted(server))
    await Promise.all(all.map((those) => those.ask('hangUp')))
  }

  const facts = { legs, rounds, seconds, threads: Number(threads) }
  const rows = [...seen.keys()].filter((name) => name !== CALM && name !== CALM_TALKING)
  return [
    ...rows.map((name) => {
      const { p99, p999, max, work } = seen.get(name)!
      const calm = seen.get(name === BLOCKED ? CALM_TALKING : CALM)!
      return {
        bench: `disturbance, ${name}`,
        facts: { ...facts, ...(name === BLOCKED && { talks }) },
        measured: median(p99),
        baseline: median(calm.p99),
        unit: 'ms frame gap p99',
        against: 'the same legs undisturbed',
        ratio: median(p99) / median(calm.p99),
        goal: { ratio: GOAL },
        more: {
          'gap p99.9 in ms': median(p999),
          'longest gap in ms': percentile(max, 1),
          'p99.9 in ms, calm': median(calm.p999),
          'longest gap in ms, calm': percentile(calm.max, 1),
          'times done': median(work),
        },
      }
    }),
    {
      bench: 'disturbance, keys pressed while it is blocked',
      facts: { ...facts, talks },
      measured: Math.max(...lost),
      baseline: legs + talks,
      unit: 'callers whose keys did not count',
      against: 'all who pressed some',
      ratio: Math.max(...lost) / (legs + talks),
      goal: { measured: 0 },
      more: {},
    },
  ]
}

/** Calls that are still where they were before the keys: in the greeting, or in the talk. */
async function uncounted(server: Child): Promise<number> {
  const until = performance.now() + COUNTED_MS
  for (;;) {
    const look = await server.ask<Look>('look')
    const left = countOf(look, 'greeting') + countOf(look, 'bridged')
    if (left === 0 || performance.now() > until) return left
    await passed(100)
  }
}

interface Series {
  p99: number[]
  p999: number[]
  max: number[]
  work: number[]
}

async function again(signal: AbortSignal, work: () => Promise<unknown>): Promise<number> {
  for (let times = 0; ; times++) {
    try {
      await work()
    } catch (error) {
      if (!signal.aborted) throw error
    }
    if (signal.aborted) return times
  }
}

function units() {
  return Array.from({ length: UNITS }, (_, at) => ({
    number: String(101 + at),
    residents: [
      { name: `Maria da Silva ${at}`, phone: String(20_001 + at) },
      { name: `João de Souza ${at}`, phone: String(40_001 + at) },
    ],
  }))
}

const headers = { authorization: 'Bearer bench', 'content-type': 'application/json' }

async function post(url: string, body: string, wanted: number, signal?: AbortSignal): Promise<void> {
  const answer = await fetch(url, { method: 'POST', headers, body, ...(signal && { signal }) })
  const text = await answer.text()
  if (answer.status !== wanted) throw new Error(`${url}: ${answer.status} ${text.slice(0, 300)}`)
}

async function get(url: string, signal: AbortSignal): Promise<void> {
  const answer = await fetch(url, { headers, signal })
  await answer.arrayBuffer()
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
}

function passed(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = ms === Infinity ? undefined : setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
    if (signal?.aborted) resolve()
  })
}
