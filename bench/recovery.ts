import { type Child, startChild } from './child.ts'
import { benchKeeping } from './keeping.ts'
import { type Bed, type Kept, openBed, STATIONS, type Station } from './recovery-bed.ts'
import type { Returned } from './recovery-phones.ts'
import type { Heard } from './recovery-visitor.ts'
import { median, type Progress, percentile, type Result } from './result.ts'

export interface RecoveryBenchOptions {
  /** Visitors at once. */
  legs: number
  rounds: number
  progress: Progress
}

/** How visitors try to come back, ms between two tries: as the dialplan of examples/asterisk, and as soon as can be. */
const RETRIES = { 'each second': 1000, 'each 50 ms': 50 }
type Retry = keyof typeof RETRIES
/** ms after the kill within which the supervisor starts the next process; the rounds are spread over it. */
const SUPERVISOR_MS = 1000
/** p99 in ms, counted from the spawn of that process: the visitor waits for its start too. */
const GOAL_MS = 3000
/** REATTACH_SECONDS as it is unless given: whoever is not back by then is lost. */
const REATTACH_MS = 15_000
/** Visitors who call one after the other while the restored calls go on. */
const ALONE = 10

/** Of one kill, ms. */
interface Killed {
  fromSpawn: number[]
  fromReady: number[]
  /** From the connection that was taken to the first frame. */
  fromDial: number[]
  /** The same of as many fresh calls that came in one moment to a process that had just begun. */
  fresh: number[]
  alone: number[]
  boot: number
  kept: Kept
  lost: number
}

/**
 * The service with live calls is killed (SIGKILL) and started again on its ports: how long visitors wait until they hear
 * that their call goes on, beside what visitors of new calls wait for their greeting; and what keeping calls costs meanwhile.
 */
export async function benchRecovery(options: RecoveryBenchOptions): Promise<Result[]> {
  const { legs, rounds, progress } = options
  await using owner = new AsyncDisposableStack()
  progress('recovery: opening a database')
  const bed = await openBed(owner, { MAX_CALLS: String(2 * legs) })
  const phones = startChild('recovery-phones.ts')
  owner.defer(() => phones.close())

  const killed: Record<Retry, Killed[]> = { 'each second': [], 'each 50 ms': [] }
  for (let round = 0; round < rounds; round++) {
    for (const [retry, retryMs] of Object.entries(RETRIES) as [Retry, number][]) {
      progress(`recovery: round ${round + 1} of ${rounds}, ${legs} visitors, ${retry}`)
      const pauseMs = (SUPERVISOR_MS * (round + 0.5)) / rounds
      killed[retry].push(await killOnce({ bed, phones, legs, retryMs, pauseMs }))
    }
  }
  const all = Object.values(killed).flat()
  const lost = all.map((one) => one.lost)
  return [
    ...Object.entries(killed).map(([retry, those]) => resultOf(retry, those, options)),
    {
      bench: 'recovery, calls that were lost',
      facts: { visitors: legs, kills: all.length },
      measured: Math.max(...lost),
      baseline: legs,
      unit: 'of a kill',
      against: 'calls in it',
      ratio: Math.max(...lost) / legs,
      goal: { measured: 0 },
      more: { 'lost in all': lost.reduce((sum, one) => sum + one, 0), 'of calls in all': all.length * legs },
    },
    ...(await benchKeeping({ ...options, phones })),
  ]
}

interface KillOptions {
  bed: Bed
  phones: Child
  legs: number
  retryMs: number
  pauseMs: number
}

async function killOnce({ bed, phones, legs, retryMs, pauseMs }: KillOptions): Promise<Killed> {
  const first = await bed.serve()
  const stations = Array.from({ length: legs }, (_, index): Station => STATIONS[index % STATIONS.length]!)
  const fresh = waits(await phones.ask<Heard[]>('call', { port: bed.port, stations }))
  // those who speak may have come to their next answer until the last telephone rings
  const kept = await bed.keeps(
    ({ all, unit, recording, ringing }) =>
      all === legs && ringing >= Math.floor(legs / STATIONS.length) && unit > 0 && recording > 0,
  )
  await phones.ask('expectLoss', { retryMs })
  await first.kill()
  await new Promise((resolve) => setTimeout(resolve, pauseMs))
  const { spawnedAt, readyAt } = await bed.serve()
  const { back, instead } = await phones.ask<Returned>('returned', { limitMs: REATTACH_MS })
  if (back.length === 0) throw new Error(`no call went on: ${JSON.stringify(instead)}`)
  await bed.restores(back.length)
  const alone = await phones.ask<number[]>('callAlone', { port: bed.port, times: ALONE })
  await phones.ask('hangUp')
  await bed.ends()
  return {
    fromSpawn: back.map(({ heardAt }) => heardAt - spawnedAt),
    fromReady: back.map(({ heardAt }) => heardAt - readyAt),
    fromDial: waits(back),
    fresh,
    alone,
    boot: readyAt - spawnedAt,
    kept,
    lost: legs - back.length,
  }
}

function waits(heard: readonly Heard[]): number[] {
  return heard.map(({ dialledAt, heardAt }) => heardAt - dialledAt)
}

function resultOf(retry: string, those: readonly Killed[], { legs, rounds }: RecoveryBenchOptions): Result {
  const p99 = (of: (one: Killed) => number[]) => median(those.map((one) => percentile(of(one), 0.99)))
  const middle = (of: (one: Killed) => number[]) => median(those.map((one) => median(of(one))))
  const measured = p99((one) => one.fromSpawn)
  const baseline = p99((one) => one.fresh)
  return {
    bench: `recovery, tried ${retry}, p99`,
    facts: { visitors: legs, rounds },
    measured,
    baseline,
    unit: 'ms from the restart',
    against: 'as many new calls',
    ratio: measured / baseline,
    goal: { measured: GOAL_MS },
    more: {
      'median from the restart': middle((one) => one.fromSpawn),
      'worst of all': Math.max(...those.flatMap((one) => one.fromSpawn)),
      'start until ready': median(those.map((one) => one.boot)),
      'p99 from ready': p99((one) => one.fromReady),
      'median from ready': middle((one) => one.fromReady),
      'p99 from the connection': p99((one) => one.fromDial),
      'median from the connection': middle((one) => one.fromDial),
      'median of as many new calls': middle((one) => one.fresh),
      'median of one new call': middle((one) => one.alone),
      'asked for the unit': median(those.map(({ kept }) => kept.unit)),
      recording: median(those.map(({ kept }) => kept.recording)),
      ringing: median(those.map(({ kept }) => kept.ringing)),
      'bytes a kept call': median(those.map(({ kept }) => kept.bytes)),
    },
  }
}
