import { type Child, startChild, type Used } from './child.ts'
import { createBenchDatabase } from './database.ts'
import type { Taken } from './inbound-load.ts'
import { median, type Progress, type Result } from './result.ts'

export interface InboundBenchOptions {
  rounds: number
  /** Of each measurement. */
  seconds: number
  /** A folder for a CPU profile of each process. */
  profile: string | undefined
  progress: Progress
}

/** What posts left behind in Postgres: what was answered and is not there was not taken in. */
export interface Stored {
  rows: number
  jobs: number
}

interface Paced {
  posts: number
  p50: number
  p99: number
}

const SHAPES = ['service', 'bare'] as const
/** Posts a second that are to be taken without anybody waiting. */
const RATE = 1000
/** Posts on their way at once where as many as can be are sent, and connections for the others. */
const IN_FLIGHT = 64
/** Whatever is compiled late is compiled in these ms. */
const WARM_UP_MS = 2000
/** p99 in ms, and time a post as a multiple of the bare one's: 0.6 of its rate. */
const GOALS = { p99: 50, ratio: 1 / 0.6 }
const SECRET = 'app-secret-of-meta'

/** What a messenger posts, until it is answered: the role web beside fastify with one insert, in turns on one Postgres. */
export async function benchInbound(options: InboundBenchOptions): Promise<Result[]> {
  const { rounds, seconds, profile, progress } = options
  await using owner = new AsyncDisposableStack()
  const url = await createBenchDatabase(owner)
  const start = (name: string): Child => {
    const flags =
      profile === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${name}.cpuprofile`]
    const child = startChild(`${name}.ts`, { flags })
    owner.defer(() => child.close())
    return child
  }
  progress('inbound: starting a service')
  const load = start('inbound-load')
  const servers = { service: start('inbound-service'), bare: start('inbound-bare') }
  const ports = { service: 0, bare: 0 }
  for (const shape of SHAPES)
    ports[shape] = await servers[shape].ask<number>('start', { url, secret: SECRET })
  const target = (shape: (typeof SHAPES)[number]) => ({ port: ports[shape], secret: SECRET })
  const flood = (shape: (typeof SHAPES)[number], ms: number) =>
    load.ask<Taken>('flood', { ...target(shape), inFlight: IN_FLIGHT, ms })
  for (const shape of SHAPES) await collect(servers[shape], await flood(shape, WARM_UP_MS))

  const series = () => ({ service: [] as number[], bare: [] as number[] })
  const [cost, cpu, p50, p99] = [series(), series(), series(), series()]
  for (let round = 1; round <= rounds; round++) {
    for (const shape of SHAPES) {
      progress(`inbound: round ${round} of ${rounds}, as fast as it goes, ${shape}`)
      await servers[shape].ask('used')
      const taken = await flood(shape, seconds * 1000)
      cost[shape].push((taken.seconds * 1e6) / taken.posts)
      cpu[shape].push((await servers[shape].ask<Used>('used')).cpu / taken.posts)
      await collect(servers[shape], taken)
    }
    for (const shape of SHAPES) {
      progress(`inbound: round ${round} of ${rounds}, ${RATE} a second, ${shape}`)
      const paced = await load.ask<Paced>('pace', {
        ...target(shape),
        rate: RATE,
        connections: IN_FLIGHT,
        ms: seconds * 1000,
      })
      p50[shape].push(paced.p50)
      p99[shape].push(paced.p99)
      await collect(servers[shape], paced)
    }
  }

  const against = 'bare fastify, one insert'
  return [
    {
      bench: 'inbound, as fast as it goes',
      facts: { rounds, seconds, 'in flight': IN_FLIGHT },
      measured: median(cost.service),
      baseline: median(cost.bare),
      unit: 'µs a post',
      against,
      ratio: median(cost.service) / median(cost.bare),
      goal: { ratio: GOALS.ratio },
      more: {
        'a second': 1e6 / median(cost.service),
        'bare ones a second': 1e6 / median(cost.bare),
        'µs CPU a post': median(cpu.service),
        'µs CPU a bare one': median(cpu.bare),
      },
    },
    {
      bench: `inbound, ${RATE} a second, p99`,
      facts: { rounds, seconds, connections: IN_FLIGHT },
      measured: median(p99.service),
      baseline: median(p99.bare),
      unit: 'ms until answered',
      against,
      ratio: median(p99.service) / median(p99.bare),
      goal: { measured: GOALS.p99 },
      more: { p50: median(p50.service), 'p50 of bare ones': median(p50.bare) },
    },
  ]
}

/** A rate at which not everything was stored would say nothing. */
async function collect(server: Child, { posts }: { posts: number }): Promise<void> {
  const { rows, jobs } = await server.ask<Stored>('collect')
  if (rows !== posts || jobs !== posts)
    throw new Error(`of ${posts} posts ${rows} are stored, with ${jobs} jobs`)
}
