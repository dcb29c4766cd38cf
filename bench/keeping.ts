import type { Child } from './child.ts'
import { type Bed, openBed, type Station } from './recovery-bed.ts'
import type { Served } from './recovery-service.ts'
import type { Heard } from './recovery-visitor.ts'
import { median, type Progress, type Result } from './result.ts'

export interface KeepingBenchOptions {
  legs: number
  rounds: number
  /** recovery-phones.ts */
  phones: Child
  progress: Progress
}

const SHAPES = ['kept', 'bare'] as const
/** REATTACH_SECONDS */
const REATTACH = { kept: '15', bare: '0' }
/** A visit, from the first call until all hang up, ms: its telephone rings by then. */
const VISIT_MS = 12_000
/** CPU of a visit as a multiple of that without keeping; 1.10 to 1.19 when it was first measured. */
const GOAL = 1.25

/** CPU of the service while visitors come, say who they are and are announced: calls kept against calls that end with their process. */
export async function benchKeeping({
  legs,
  rounds,
  phones,
  progress,
}: KeepingBenchOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  progress('recovery: starting two services')
  const bedOf = async (shape: (typeof SHAPES)[number]) => {
    const bed = await openBed(owner, { MAX_CALLS: String(2 * legs), REATTACH_SECONDS: REATTACH[shape] })
    return { bed, served: await bed.serve() }
  }
  const beds = { kept: await bedOf('kept'), bare: await bedOf('bare') }
  for (const shape of SHAPES) await visit({ ...beds[shape], phones, legs })

  const costs = { kept: [] as number[], bare: [] as number[] }
  const ratios: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const cost = { kept: 0, bare: 0 }
    // in turns, so that a machine that grows slower meanwhile favours neither
    for (const shape of round % 2 === 0 ? SHAPES : SHAPES.toReversed()) {
      progress(`recovery: visits, round ${round} of ${rounds}, ${shape}`)
      cost[shape] = await visit({ ...beds[shape], phones, legs })
      costs[shape].push(cost[shape])
    }
    ratios.push(cost.kept / cost.bare)
  }
  return [
    {
      bench: 'recovery, what keeping costs',
      facts: { visitors: legs, rounds, 'seconds a visit': VISIT_MS / 1000 },
      measured: median(costs.kept),
      baseline: median(costs.bare),
      unit: 'ms CPU a visit',
      against: 'REATTACH_SECONDS=0',
      ratio: median(ratios),
      goal: { ratio: GOAL },
      more: {},
    },
  ]
}

interface VisitOptions {
  bed: Bed
  served: Served
  phones: Child
  legs: number
}

/** CPU of one of so many visits, ms. */
async function visit({ bed, served, phones, legs }: VisitOptions): Promise<number> {
  const before = await served.cpuSeconds()
  const over = new Promise((resolve) => setTimeout(resolve, VISIT_MS))
  const stations = Array.from({ length: legs }, (): Station => 'ringing')
  await phones.ask<Heard[]>('call', { port: bed.port, stations })
  await over
  await phones.ask('hangUp')
  await bed.ends()
  return (((await served.cpuSeconds()) - before) * 1000) / legs
}
