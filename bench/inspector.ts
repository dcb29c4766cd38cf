import { WebSocket } from 'ws'
import { type Child, startChild, type Used } from './child.ts'
import type { MediaOptions } from './media.ts'
import type { Look } from './media-service.ts'
import { median, type Result } from './result.ts'

interface Measured {
  seconds: number
  sent: number
  gapP99Ms?: number
}

/** ms between two looks whether all legs are up, and of a measurement that is not counted; and when it is given up. */
const SETTLE_MS = 2000
const SETTLE_LIMIT_MS = 20_000
/** CPU with one open inspector, and after the last one went, as a multiple of that with none. */
const GOALS = { open: 1.1, gone: 1.01 }

type Looks = 'none' | 'open' | 'gone'
/** There and back, so that a machine that grows faster or slower meanwhile favours none of them. */
const TURNS: readonly Looks[] = ['none', 'open', 'gone', 'gone', 'open', 'none']

/**
 * What looking costs: a service with live calls that hear a greeting while their visitors talk, measured in turns while
 * nobody looks, while one inspector lists them all and follows one, and after it went: then nothing is attached any more.
 */
export async function benchInspector(options: Omit<MediaOptions, 'profile'>): Promise<Result[]> {
  const { legs, rounds, seconds, progress } = options
  await using owner = new AsyncDisposableStack()
  const start = (file: string) => {
    const child = startChild(file)
    owner.defer(() => child.close())
    return child
  }
  progress('inspector: starting a service')
  const [phones, server] = [start('media-phones.ts'), start('media-service.ts')]
  const port = await server.ask<number>('start', {
    ...{ state: 'playing', legs, idle: 'continuous' },
    threads: options.threads,
  })
  const api = await server.ask<number>('api')

  const series = () => ({ none: [] as number[], open: [] as number[], gone: [] as number[] })
  const [costs, loads, gaps, ratios] = [series(), series(), series(), series()]
  let told = 0
  for (let round = 1; round <= rounds; round++) {
    await phones.ask('connect', { port, legs, sound: 'speech' })
    await settled(server, legs)
    await phones.ask('measure', { ms: SETTLE_MS })
    const used = { none: 0, open: 0, gone: 0 }
    for (const looks of TURNS) {
      progress(`inspector: round ${round} of ${rounds}, ${legs} legs, ${looks}`)
      const viewer = looks === 'open' ? await openViewer(api) : undefined
      await server.ask('used')
      const { sent, seconds: took, gapP99Ms } = await phones.ask<Measured>('measure', { ms: seconds * 1000 })
      const { cpu } = await server.ask<Used>('used')
      told += (await viewer?.close()) ?? 0
      used[looks] += cpu / sent
      costs[looks].push(cpu / sent)
      loads[looks].push(cpu / 1e4 / took)
      if (gapP99Ms !== undefined) gaps[looks].push(gapP99Ms)
    }
    // of the same calls in the same moments; between rounds a machine that others use changes by more than is measured
    for (const looks of ['open', 'gone'] as const) ratios[looks].push(used[looks] / used.none)
    await phones.ask('hangUp')
  }

  const baseline = median(costs.none)
  return (['open', 'gone'] as const).map((looks) => ({
    bench: looks === 'open' ? 'inspector, one open' : 'inspector, none open',
    facts: { legs, rounds, seconds },
    measured: median(costs[looks]),
    baseline,
    unit: 'µs CPU a frame',
    against: 'before anybody looked',
    ratio: median(ratios[looks]),
    goal: { ratio: GOALS[looks] },
    more: {
      '% of a core': median(loads[looks]),
      '% of a core before': median(loads.none),
      ...frameGaps(looks),
      ...(looks === 'open' && { 'messages told a second': told / (2 * rounds * seconds) }),
    },
  }))

  function frameGaps(looks: Looks): Record<string, number> {
    if (gaps[looks].length === 0 || gaps.none.length === 0) return {}
    return { 'frame gap p99 in ms': median(gaps[looks]), 'frame gap p99 in ms before': median(gaps.none) }
  }
}

/** Resolves when every call says its greeting; a measurement of calls that do something else would say nothing. */
async function settled(server: Child, legs: number): Promise<void> {
  const end = performance.now() + SETTLE_LIMIT_MS
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const look = await server.ask<Look>('look')
    const playing = Object.entries(look.states).filter(([name]) => name.includes('greeting'))
    const there = playing.reduce((sum, [, count]) => sum + count, 0)
    if (there === legs) return
    if (performance.now() > end) throw new Error(`${there} of ${legs} calls play: ${JSON.stringify(look)}`)
  }
}

/** As the page does it: the list of all, and everything of one. `close` resolves with how many messages came. */
async function openViewer(api: number): Promise<{ close(): Promise<number> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${api}/api/inspector`, {
    headers: { authorization: 'Bearer bench' },
  })
  let messages = 0
  const listed = Promise.withResolvers<string>()
  socket.on('error', listed.reject)
  socket.on('message', (data) => {
    const told: { type: string; kind?: string; name?: string }[] = JSON.parse(String(data))
    messages += told.length
    const call = told.find(({ kind }) => kind === 'call')
    if (call?.name) listed.resolve(call.name)
  })
  const name = await listed.promise
  socket.send(JSON.stringify({ type: 'watch', name }))
  return {
    async close() {
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.close()
      await closed
      return messages
    },
  }
}
