/** The telephones of the bench, in a process of their own: what they hear is late by the service's doing or by theirs. */
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { audioFrame } from '../src/audiosocket/frame.ts'
import { loadPrompts } from '../src/media/prompts.ts'
import { PACKAGE_ROOT } from '../src/platform/package.ts'
import { createPhone } from '../src/simulator/phone.ts'
import { playResident, playVisitor } from '../src/simulator/script.ts'
import type { Ended } from '../src/simulator/transcript.ts'
import { answer } from './child.ts'
import { median } from './result.ts'

/** What all telephones heard. Distances of frames in ms: of the telephone in the middle, and of the worst. */
export interface Visited {
  p50: number
  p99: number
  worst: number
  /** p99 of how late this process's own loop was, ms. */
  loopMs: number
  /** Telephones that heard a goodbye to its end before the server hung up. */
  whole: number
  violations: number
  /** % of a core that this process used. */
  load: number
}

const prompts = await loadPrompts({
  directories: [join(PACKAGE_ROOT, 'prompts')],
  locale: 'pt-BR',
  frame: audioFrame,
})
const answering = new Map<string, () => void>()

/** Nobody rings at a hundred gates in the same millisecond; what is measured is that all of them talk at once. */
const APART_MS = 7
// a loop that is on time fires each 1 ms timer 1 to 2 ms after the one before
const RESOLUTION_MS = 1

answer(
  {
    visit: ({ count, visitor, resident }: { count: number; visitor: number; resident: number }) =>
      measure(count, (index) => visit(index, visitor, resident)),
    listen: ({ count, port }: { count: number; port: number }) =>
      measure(count, async (index) => {
        await apart(index)
        return [await createPhone({ port, role: 'visitor', prompts }).ended]
      }),
    answer(ids: string[]) {
      for (const id of ids) answering.get(id)?.()
    },
  },
  () => {},
)

/** A whole visit by two phones that are gone when it resolves. */
async function visit(index: number, visitorPort: number, residentPort: number): Promise<Ended[]> {
  await apart(index)
  const visitor = createPhone({ port: visitorPort, role: 'visitor', prompts })
  const { promise: wanted, resolve } = Promise.withResolvers<void>()
  answering.set(visitor.id, resolve)
  const played = playVisitor(visitor, { keys: '101#' })
  await Promise.race([wanted, played])
  answering.delete(visitor.id)
  const resident = createPhone({ port: residentPort, id: visitor.id, role: 'resident', prompts })
  return Promise.all([played, playResident(resident, { keys: '1' })])
}

async function measure(count: number, one: (index: number) => Promise<Ended[]>): Promise<Visited> {
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const [began, before] = [performance.now(), process.cpuUsage()]
  loop.enable()
  const ends = (await Promise.all(Array.from({ length: count }, (_, index) => one(index)))).flat()
  loop.disable()
  const { user, system } = process.cpuUsage(before)
  const p99s = ends.map(({ spacing }) => spacing.p99)
  return {
    p50: median(ends.map(({ spacing }) => spacing.p50)),
    p99: median(p99s),
    worst: Math.max(...p99s),
    loopMs: Math.max(0, loop.percentile(99) / 1e6 - RESOLUTION_MS),
    whole: ends.filter(({ by, goodbye }) => by === 'server-hangup' && goodbye?.complete).length,
    violations: ends.reduce((sum, { violations }) => sum + violations.length, 0),
    load: (user + system) / 10 / (performance.now() - began),
  }
}

function apart(index: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, index * APART_MS))
}
