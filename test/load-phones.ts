/**
 * The telephones of service-load.test.ts, on a thread of their own: what they hear is then late by the service's doing
 * or by theirs, and `loopMs` tells theirs.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { audioFrame } from '../src/audiosocket/frame.ts'
import { loadPrompts } from '../src/media/prompts.ts'
import { createPhone } from '../src/simulator/phone.ts'
import { playResident, playVisitor } from '../src/simulator/script.ts'
import type { Ended } from '../src/simulator/transcript.ts'

export interface PhonesData {
  visitor: number
  resident: number
  /** Prompt packs that the service speaks from. */
  directories: string[]
}

/** Place so many visits at once; or: the resident of this call is wanted. */
export type PhonesOrder = { visits: number } | { wanted: string }

/** How all telephones of the visits ended. */
export interface PhonesAnswer {
  ends: Ended[]
  /** p99 of how late this thread's own loop was, ms. */
  loopMs: number
}

const { visitor: visitorPort, resident: residentPort, directories } = workerData as PhonesData
const prompts = await loadPrompts({ directories, locale: 'pt-BR', frame: audioFrame })
const answering = new Map<string, () => void>()

/** Nobody rings at a hundred gates in the same millisecond; what is measured is that all of them talk at once. */
const APART_MS = 7

/** A whole visit by two phones that are gone when it resolves. */
async function visit(index: number): Promise<Ended[]> {
  await new Promise((resolve) => setTimeout(resolve, index * APART_MS))
  const visitor = createPhone({ port: visitorPort, role: 'visitor', prompts })
  const { promise: wanted, resolve } = Promise.withResolvers<void>()
  answering.set(visitor.id, resolve)
  const played = playVisitor(visitor, { keys: '101#' })
  await Promise.race([wanted, played])
  answering.delete(visitor.id)
  const resident = createPhone({ port: residentPort, id: visitor.id, role: 'resident', prompts })
  return Promise.all([played, playResident(resident, { keys: '1' })])
}

// a loop that is on time fires each 1 ms timer 1 to 2 ms after the one before
const RESOLUTION_MS = 1

async function visits(count: number): Promise<PhonesAnswer> {
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  loop.enable()
  const ends = await Promise.all(Array.from({ length: count }, (_, index) => visit(index)))
  loop.disable()
  return { ends: ends.flat(), loopMs: Math.max(0, loop.percentile(99) / 1e6 - RESOLUTION_MS) }
}

parentPort!.on('message', (order: PhonesOrder) => {
  if ('wanted' in order) answering.get(order.wanted)?.()
  else void visits(order.visits).then((answer) => parentPort!.postMessage(answer))
})
