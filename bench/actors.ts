import { type Child, startChild } from './child.ts'
import { median, type Progress, type Result } from './result.ts'

export interface ActorsOptions {
  /** Calls of one measurement. */
  calls: number
  rounds: number
  profile: string | undefined
  progress: Progress
}

interface Driven {
  seconds: number
  /** µs */
  cpu: number
}

const SHAPES = ['porteiro', 'bare'] as const
/** Whatever is compiled late is compiled in these. */
const WARM_UP = 500
const GOALS = { ratio: 2, idleKb: 40 }

/** Whole calls as actors, without sound: created, driven to their end over stub ports, and held while it rings. */
export async function benchActors({ calls, rounds, profile, progress }: ActorsOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const start = (shape: (typeof SHAPES)[number]): Child => {
    const flags =
      profile === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${shape}.cpuprofile`]
    const child = startChild('actors-calls.ts', { args: [shape], flags: ['--expose-gc', ...flags] })
    owner.defer(() => child.close())
    return child
  }
  const children = { porteiro: start('porteiro'), bare: start('bare') }
  const cost = { porteiro: [] as number[], bare: [] as number[] }
  const rate = { porteiro: [] as number[], bare: [] as number[] }
  const idle = { porteiro: [] as number[], bare: [] as number[] }
  for (const shape of SHAPES) await children[shape].ask('drive', { calls: WARM_UP })
  for (let round = 1; round <= rounds; round++) {
    for (const shape of SHAPES) {
      progress(`actors: round ${round} of ${rounds}, ${calls} calls, ${shape}`)
      const { cpu, seconds } = await children[shape].ask<Driven>('drive', { calls })
      cost[shape].push(cpu / calls)
      rate[shape].push(calls / seconds)
      idle[shape].push((await children[shape].ask<number>('hold', { calls: Math.min(calls, 1000) })) / 1024)
    }
  }
  const against = 'a bare xstate machine of the same shape'
  const facts = { calls, rounds }
  return [
    {
      bench: 'actors, driven to the end',
      facts,
      measured: median(cost.porteiro),
      baseline: median(cost.bare),
      unit: 'µs CPU a call',
      against,
      ratio: median(cost.porteiro) / median(cost.bare),
      goal: { ratio: GOALS.ratio },
      more: { 'calls a second': median(rate.porteiro), 'bare ones a second': median(rate.bare) },
    },
    {
      bench: 'actors, idle',
      facts,
      measured: median(idle.porteiro),
      baseline: median(idle.bare),
      unit: 'KB a call',
      against,
      ratio: median(idle.porteiro) / median(idle.bare),
      goal: { measured: GOALS.idleKb },
      more: {},
    },
  ]
}
