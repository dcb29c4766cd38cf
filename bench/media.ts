import { join } from 'node:path'
import { FRAME_MS, type Role } from '../src/platform/audio.ts'
import { type Child, startChild, type Used } from './child.ts'
import type { Frames, Look } from './media-service.ts'
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

const NAMES = ['echo', 'listening', 'keepalive', 'playing', 'talking'] as const

interface Variant {
  /** `keepalive` listens too, with silence once a second instead of continuous silence. */
  name: (typeof NAMES)[number]
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
const FRAMES_A_SECOND = 1000 / FRAME_MS
/** CPU per frame, as a multiple of the echo's, that a call may cost. */
const GOALS = { listening: 1.5, keepalive: 1.5, playing: 1.25, talking: 1.5 }
/** ms between two keys while calls are brought to their talk. */
const KEY_MS = 500
/** ms in which all calls must be in the state that is measured, and in their talk, which ends after 120 s. */
const THERE_MS = 120_000
const TALK_WITHIN_MS = 60_000

/**
 * CPU per frame of whole calls beside a bare echo, each server in a process of its own, the phones in another, measured in
 * turns. A frame is 20 ms of one leg: one message in, and one out where something is played.
 */
export async function benchMedia(options: MediaOptions): Promise<Result[]> {
  const { legs, rounds, seconds, progress } = options
  await using owner = new AsyncDisposableStack()
  const start = (file: string, name: string) => {
    const child = startChild(file, { flags: ['--expose-gc', ...profileFlags(options.profile, name)] })
    owner.defer(() => child.close())
    return child
  }
  progress('media: starting an echo and four services')
  const phones = start('media-phones.ts', 'phones')
  const serverOf = {
    echo: start('media-echo.ts', 'echo'),
    listening: start('media-service.ts', 'listening'),
    keepalive: start('media-service.ts', 'keepalive'),
    playing: start('media-service.ts', 'playing'),
    talking: start('media-service.ts', 'talking'),
  }
  const variants: Variant[] = []
  for (const name of NAMES) {
    const server = serverOf[name]
    const state = name === 'keepalive' ? 'listening' : name
    const idle = name === 'keepalive' ? 'keepalive' : 'continuous'
    const port = await server.ask<number>('start', { state, legs, idle, threads: options.threads })
    variants.push({ name, server, port, sound: name === 'playing' ? 'noise' : 'speech' })
  }

  const series = () =>
    Object.fromEntries(NAMES.map((name) => [name, [] as number[]])) as Record<Variant['name'], number[]>
  const [costs, loads, systems, turns] = [series(), series(), series(), series()]
  const [gaps, kilobytes, phoneLoads, unleft, late] = [series(), series(), series(), series(), series()]
  for (let round = 1; round <= rounds; round++) {
    for (const { name, server, port, sound } of variants) {
      progress(`media: round ${round} of ${rounds}, ${legs} legs, ${name}`)
      const before = name === 'echo' ? 0 : await server.ask<number>('memory')
      const visitors = name === 'talking' ? Math.floor(legs / 2) : legs
      await phones.ask('connect', { port, legs: visitors, sound })
      if (name === 'talking') await talk(server, phones, visitors)
      await untilAll(server, name, visitors)
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS + legs * SETTLE_LEG_MS))
      await untilAll(server, name, visitors)
      if (name !== 'echo')
        kilobytes[name].push(((await server.ask<number>('memory')) - before) / 1024 / visitors)
      await server.ask('used')
      await phones.ask('used')
      // the service counts what is not silence
      const counts = name === 'playing' || name === 'talking'
      const framesBefore = counts ? await server.ask<Frames>('frames') : undefined
      const { sent, seconds: took, gapP99Ms } = await phones.ask<Measured>('measure', { ms: seconds * 1000 })
      const used = await server.ask<Used>('used')
      phoneLoads[name].push((await phones.ask<Used>('used')).cpu / 1e4 / took)
      if (framesBefore) {
        const { left, inTime } = await server.ask<Frames>('frames')
        const owed = legs * took * FRAMES_A_SECOND
        unleft[name].push(Math.max(0, 1 - (left - framesBefore.left) / owed))
        late[name].push(1 - (inTime - framesBefore.inTime) / (left - framesBefore.left))
      }
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
    [`% of a core, telephones${of}`]: median(phoneLoads[name]),
    ...(late[name].length > 0 && {
      '% of the frames more than 5 ms late': 100 * median(late[name]),
      '% of the frames not sent': 100 * median(unleft[name]),
    }),
    ...(gaps[name].length > 0 && { [`frame gap p99 in ms${of}`]: median(gaps[name]) }),
  })
  const baseline = median(costs.echo)
  return NAMES.filter((name) => name !== 'echo').map((name) => ({
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
      'kB of memory a visit': median(kilobytes[name]),
      ...seen('echo', ' (echo)'),
    },
  }))
}

/** Resolves when so many calls are in the state in question: a measurement of others would say nothing. */
export async function untilAll(server: Child, name: Variant['name'], calls: number): Promise<void> {
  if (name === 'echo') return
  const until = performance.now() + THERE_MS
  for (;;) {
    const look = await server.ask<Look>('look')
    const there = countOf(look, { playing: 'greeting', talking: 'bridged' }[name as string] ?? 'waiting')
    if (there === calls) return
    if (performance.now() > until)
      throw new Error(`${there} of ${calls} calls are ${name}: ${JSON.stringify(look)}`)
    await new Promise((resolve) => setTimeout(resolve, KEY_MS))
  }
}

export function countOf({ states }: Look, wanted: string): number {
  return Object.entries(states).reduce((sum, [state, count]) => sum + (state.includes(wanted) ? count : 0), 0)
}

/** Brings all visitors to a talk with their resident, as both would by their keys; `waits`: after the greeting. */
export async function talk(server: Child, phones: Child, calls: number, waits = true): Promise<void> {
  const until = performance.now() + TALK_WITHIN_MS
  const all = async (state: string, press: () => Promise<unknown>) => {
    for (;;) {
      const look = await server.ask<Look>('look')
      if (countOf(look, state) === calls) return
      if (performance.now() > until) throw new Error(`not all are ${state}: ${JSON.stringify(look)}`)
      await press()
      await new Promise((resolve) => setTimeout(resolve, KEY_MS))
    }
  }
  const press = (role: Role, keys: string) => () => phones.ask('press', { role, keys })
  if (waits) await all('waiting', async () => {})
  await press('visitor', '101#')()
  // through who it is and why
  await all('searching', press('visitor', '#'))
  await phones.ask('answer', { port: await server.ask('resident'), sound: 'speech' })
  await all('bridged', press('resident', '3'))
}

/** A file for each of its threads, in a folder of its name. */
function profileFlags(directory: string | undefined, name: string): string[] {
  return directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${join(directory, name)}`]
}
