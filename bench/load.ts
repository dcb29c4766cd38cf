import { startChild } from './child.ts'
import { createBenchDatabase } from './database.ts'
import type { Visited } from './load-phones.ts'
import type { Load } from './load-service.ts'
import { median, type Progress, type Result } from './result.ts'

export interface LoadBenchOptions {
  /** At once; each has two legs. */
  visits: number
  rounds: number
  progress: Progress
}

/** As in the script `start` of package.json. */
const HEAP = ['--max-semi-space-size=2', '--initial-old-space-size=256', '--expose-gc']
/** Whatever is compiled or cached for good is so after these. */
const WARM_UP_VISITS = 10
/** A jitter buffer of 25 ms holds what is 20 ms apart where only the network is late. */
const SPACING_RATIO = 1.25
/** A visit that is kept by mistake is 100 kB and more, with its recordings. */
const HEAP_RATIO = 1.2

/**
 * Whole visits at once, with the prompts that people hear: how far apart the frames reach the telephones, beside a bare
 * pacer that plays to as many, and what the heap has kept when all are over.
 */
export async function benchLoad({ visits, rounds, progress }: LoadBenchOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const url = await createBenchDatabase(owner)
  const start = (file: string, flags: string[] = []) => {
    const child = startChild(file, { flags })
    owner.defer(() => child.close())
    return child
  }
  const phones = start('load-phones.ts')
  const bare = start('load-bare.ts', HEAP)
  const service = start('load-service.ts', HEAP)
  const barePort = await bare.ask<number>('start')
  const ports = await service.ask<{ visitor: number; resident: number }>('start', { url, visits })
  const ringing = ring()
  progress('load: warming up')
  await phones.ask('visit', { count: WARM_UP_VISITS, ...ports })
  const before = await service.ask<Load>('look')

  const seen = { service: [] as Visited[], bare: [] as Visited[] }
  for (let round = 1; round <= rounds; round++) {
    progress(`load: round ${round} of ${rounds}, ${visits} visits`)
    const visited = await phones.ask<Visited>('visit', { count: visits, ...ports })
    if (visited.whole !== 2 * visits)
      throw new Error(`${visited.whole} of ${2 * visits} heard their goodbye whole`)
    seen.service.push(visited)
    progress(`load: round ${round} of ${rounds}, a bare pacer`)
    seen.bare.push(await phones.ask<Visited>('listen', { count: 2 * visits, port: barePort }))
  }
  const after = await service.ask<Load>('look')
  await service.close()
  await ringing

  const of = (shape: 'service' | 'bare', value: (visited: Visited) => number) =>
    median(seen[shape].map(value))
  const [measured, baseline] = [of('service', ({ p99 }) => p99), of('bare', ({ p99 }) => p99)]
  const megabytes = (bytes: number) => bytes / 1024 ** 2
  return [
    {
      bench: 'load, frames apart',
      facts: { visits, rounds },
      measured,
      baseline,
      unit: 'ms at p99',
      against: 'a bare pacer',
      ratio: measured / baseline,
      goal: { ratio: SPACING_RATIO },
      more: {
        'p50 in ms': of('service', ({ p50 }) => p50),
        'p99 of the worst telephone': of('service', ({ worst }) => worst),
        'p99 late, the service': after.lateMs,
        'p99 late, the telephones': of('service', ({ loopMs }) => loopMs),
        'bursts that were heard': of('service', ({ violations }) => violations),
        '% of a core, the telephones': of('service', ({ load }) => load),
        'p99 late, the telephones (bare)': of('bare', ({ loopMs }) => loopMs),
      },
    },
    {
      bench: 'load, heap when all is over',
      facts: { visits: visits * rounds },
      measured: megabytes(after.heap),
      baseline: megabytes(before.heap),
      unit: 'MB',
      against: `after ${WARM_UP_VISITS} visits`,
      ratio: after.heap / before.heap,
      goal: { ratio: HEAP_RATIO },
      more: { 'kB a visit': (after.heap - before.heap) / 1024 / (visits * rounds) },
    },
  ]

  /** Has the resident of each call answer, until the service has ended. */
  async function ring(): Promise<void> {
    try {
      for (;;) await phones.ask('answer', await service.ask<string[]>('wanted'))
    } catch {
      // it has ended, or the bench failed elsewhere
    }
  }
}
