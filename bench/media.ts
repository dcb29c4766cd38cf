import { type Child, startChild, type Used } from './child.ts'
import type { Look } from './media-service.ts'
import { median, type Progress, type Result } from './result.ts'

export interface MediaOptions {
  legs: number
  rounds: number
  /** Of each measurement. */
  seconds: number
  /** MEDIA_THREADS. */
  threads: string
  /** A folder for a CPU profile of each server. */
  profile: string | undefined
  progress: Progress
}

interface Variant {
  /** `keepalive` listens too, with silence once a second instead of continuous silence. */
  name: 'echo' | 'listening' | 'keepalive' | 'playing'
  server: Child
  port: number
  sound: 'speech' | 'noise'
}

interface Measured {
  seconds: number
  sent: number
  received: number
  gapP99Ms?: number
}

/** Legs are up and past their first words, and what their making left behind is collected, before anything is counted. */
const SETTLE_MS = 2000
const SETTLE_LEG_MS = 4
/** CPU per frame, as a multiple of the echo's, that a call may cost. */
const GOALS = { listening: 1.6, keepalive: 1.6, playing: 1.3 }

/**
 * CPU per frame of whole calls beside a bare echo, each server in a process of its own, the phones in another, measured in
 * turns. A frame is 20 ms of one leg: one message in, and one out where something is played.
 */
export async function benchMedia(options: MediaOptions): Promise<Result[]> {
  const { legs, rounds, seconds, progress } = options
  await using owner = new AsyncDisposableStack()
  const start = (file: string, name: string) => {
    const child = startChild(file, { flags: profileFlags(options.profile, name) })
    owner.defer(() => child.close())
    return child
  }
  progress('media: starting an echo and three services')
  const phones = start('media-phones.ts', 'phones')
  const serverOf = {
    echo: start('media-echo.ts', 'echo'),
    listening: start('media-service.ts', 'listening'),
    keepalive: start('media-service.ts', 'keepalive'),
    playing: start('media-service.ts', 'playing'),
  }
  const variants: Variant[] = []
  for (const name of ['echo', 'listening', 'keepalive', 'playing'] as const) {
    const server = serverOf[name]
    const state = name === 'keepalive' ? 'listening' : name
    const idle = name === 'keepalive' ? 'keepalive' : 'continuous'
    const port = await server.ask<number>('start', { state, legs, idle, threads: options.threads })
    variants.push({ name, server, port, sound: name === 'playing' ? 'noise' : 'speech' })
  }

  const series = () => ({
    echo: [] as number[],
    listening: [] as number[],
    keepalive: [] as number[],
    playing: [] as number[],
  })
  const [costs, loads, systems, turns, gaps] = [series(), series(), series(), series(), series()]
  for (let round = 1; round <= rounds; round++) {
    for (const { name, server, port, sound } of variants) {
      progress(`media: round ${round} of ${rounds}, ${legs} legs, ${name}`)
      await phones.ask('connect', { port, legs, sound })
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS + legs * SETTLE_LEG_MS))
      await checkStates(server, name, legs)
      await server.ask('used')
      const { sent, seconds: took, gapP99Ms } = await phones.ask<Measured>('measure', { ms: seconds * 1000 })
      const used = await server.ask<Used>('used')
      await phones.ask('hangUp')
      costs[name].push(used.cpu / sent)
      loads[name].push(used.cpu / 1e4 / took)
      systems[name].push(used.system / used.cpu)
      turns[name].push(used.turns / took)
      if (gapP99Ms !== undefined) gaps[name].push(gapP99Ms)
    }
  }

  const seen = (name: Variant['name'], of: string) => ({
    [`% of a core${of}`]: median(loads[name]),
    [`% of it in the kernel${of}`]: 100 * median(systems[name]),
    [`turns of the main loop a second${of}`]: median(turns[name]),
    ...(gaps[name].length > 0 && { [`frame gap p99 in ms${of}`]: median(gaps[name]) }),
  })
  const baseline = median(costs.echo)
  return (['listening', 'keepalive', 'playing'] as const).map((name) => ({
    bench: name === 'keepalive' ? 'media, listening, IDLE_AUDIO=keepalive' : `media, ${name}`,
    facts: { legs, rounds, seconds, threads: Number(options.threads) },
    measured: median(costs[name]),
    baseline,
    unit: 'µs CPU a frame',
    against: 'a bare node:net echo',
    ratio: median(costs[name]) / baseline,
    goal: { ratio: GOALS[name] },
    more: {
      ...seen(name, ''),
      ...seen('echo', ' (echo)'),
    },
  }))
}

/** A measurement of calls that have left the state in question would say nothing. */
async function checkStates(server: Child, name: Variant['name'], legs: number): Promise<void> {
  if (name === 'echo') return
  const look = await server.ask<Look>('look')
  const wanted = name === 'playing' ? 'greeting' : 'waiting'
  const there = Object.entries(look.states).reduce(
    (sum, [state, count]) => sum + (state.includes(wanted) ? count : 0),
    0,
  )
  if (there !== legs) throw new Error(`${there} of ${legs} calls are ${name}: ${JSON.stringify(look)}`)
}

function profileFlags(directory: string | undefined, name: string): string[] {
  return directory === undefined
    ? []
    : ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=${name}.cpuprofile`]
}
