import { type Child, startChild } from './child.ts'
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

/** Works until it is told to stop; resolves with how often it did so. */
type Disturbance = (api: string, server: Child, signal: AbortSignal) => Promise<number>

const DISTURBANCES: Record<string, Disturbance> = {
  calm: async (_, __, signal) => {
    await passed(Infinity, signal)
    return 0
  },
  'import of 5,000 units': (api, _, signal) => {
    const body = JSON.stringify({ units: units() })
    return again(signal, () => post(`${api}/api/directory/import?tenant=bench`, body, 200, signal))
  },
  'directory file with a syntax error': (api, _, signal) => {
    // its end is missing
    const body = JSON.stringify({ units: units() }).slice(0, -2)
    return again(signal, () => post(`${api}/api/directory/import?tenant=bench`, body, 400, signal))
  },
  'exports and 20 scrapes a second': async (api, _, signal) => {
    const [exports] = await Promise.all([
      again(signal, () => get(`${api}/api/directory/export?tenant=bench`, signal)),
      again(signal, async () => {
        await get(`${api}/metrics`, signal)
        await passed(SCRAPES_MS, signal)
      }),
    ])
    return exports
  },
  OpenAPI: (api, _, signal) => again(signal, () => get(`${api}/openapi.json`, signal)),
  'main thread blocked for 3 s': async (_, server, signal) => {
    await server.ask('block', { ms: BLOCKED_MS })
    await passed(Infinity, signal)
    return 1
  },
}

/**
 * What telephones hear while the process does other work, beside what they hear while it does nothing else: a service whose legs
 * all hear a greeting, and its telephones in another process, measured in turns.
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
  const [phones, server] = [start('media-phones.ts'), start('media-service.ts')]
  const port = await server.ask<number>('start', { state: 'playing', legs, idle: 'continuous', threads })
  const api = `http://127.0.0.1:${await server.ask<number>('api')}`
  await post(`${api}/api/tenants`, JSON.stringify({ id: 'bench', name: 'Bench' }), 201)
  await post(`${api}/api/directory/import?tenant=bench`, JSON.stringify({ units: units() }), 200)

  const names = Object.keys(DISTURBANCES)
  const seen = new Map(names.map((name) => [name, { p99: [], p999: [], max: [], work: [] } as Series]))
  for (let round = 1; round <= rounds; round++) {
    await phones.ask('connect', { port, legs, sound: 'noise' })
    await passed(SETTLE_MS)
    for (const name of names) {
      progress(`disturbance: round ${round} of ${rounds}, ${legs} legs, ${name}`)
      const ending = new AbortController()
      const measuring = phones.ask<Measured>('measure', { ms: seconds * 1000 })
      const working = DISTURBANCES[name]!(api, server, ending.signal)
      const { gapsMs } = await measuring
      ending.abort()
      const of = seen.get(name)!
      of.work.push(await working)
      for (const share of ['p99', 'p999', 'max'] as const) of[share].push(gapsMs[share])
      // a blocked thread has something to make up
      await passed(SETTLE_MS)
    }
    await phones.ask('hangUp')
  }

  const calm = seen.get('calm')!
  const baseline = median(calm.p99)
  return names.slice(1).map((name) => {
    const { p99, p999, max, work } = seen.get(name)!
    return {
      bench: `disturbance, ${name}`,
      facts: { legs, rounds, seconds, threads: Number(threads) },
      measured: median(p99),
      baseline,
      unit: 'ms frame gap p99',
      against: 'the same legs undisturbed',
      ratio: median(p99) / baseline,
      goal: { ratio: GOAL },
      more: {
        'gap p99.9 in ms': median(p999),
        'longest gap in ms': percentile(max, 1),
        'p99.9 in ms, calm': median(calm.p999),
        'longest gap in ms, calm': percentile(calm.max, 1),
        'times done': median(work),
      },
    }
  })
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
