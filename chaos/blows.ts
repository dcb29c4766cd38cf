/** What happens to processes and to Postgres, one blow after the other. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bed, KILLS_THREAD, type Slot } from './bed.ts'
import type { Random } from './random.ts'
import type { Blow } from './records.ts'

const TARGETS = { voice: 50, worker: 18, web: 8, postgres: 24 }
/** A process is killed or paused; of a `voice` also its media thread alone is killed. */
const HOW = { kill: 85, pause: 15 }
const HOW_VOICE = { kill: 60, thread: 25, pause: 15 }
/** All backends are ended, all processes paused, one backend killed (Postgres then ends all), or the server stopped. */
const HOW_POSTGRES = { cut: 40, pause: 25, crash: 20, stop: 15 }
/** ms of a pause, and until a killed process is started again. */
const PAUSE_MS = [500, 9000] as const
const DOWN_MS = [0, 2500] as const
/** Part of the kills that strike a node just after a resident has decided there, within so many ms. */
const AIMED = 0.5
const AIM_MS = 150
/** ms to wait for such a moment. */
const AIM_LIMIT_MS = 4000

interface BlowsOptions {
  bed: Bed
  random: Random
  /** Resolves with the node where a resident decides next. */
  deciding: () => Promise<string>
  /** Tells that a blow is struck now. */
  strike: (target: string, how: Blow) => Promise<void>
  /** A process that did not come up. */
  onFailed: (error: unknown) => void
}

export function createBlows({ bed, random, deciding, strike, onFailed }: BlowsOptions) {
  const pending = new Set<Promise<unknown>>()
  const track = (work: Promise<unknown>) => {
    const settled: Promise<unknown> = work.catch(onFailed).finally(() => pending.delete(settled))
    pending.add(settled)
  }
  const signal = (pids: readonly number[], name: NodeJS.Signals) => {
    for (const pid of pids) {
      try {
        process.kill(pid, name)
      } catch {
        // it has ended meanwhile
      }
    }
  }

  /** Kills, and starts again. */
  const kill = async (slot: Slot) => {
    await strike(slot.name, 'kill')
    await bed.kill(slot)
    track(sleep(random.between(...DOWN_MS)).then(() => bed.launch(slot)))
  }

  /** Kills what carries the sound; the process goes on, and starts it again. */
  const killThread = async (slot: Slot) => {
    await strike(slot.name, 'thread')
    signal([slot.running!.child.pid!], KILLS_THREAD)
  }

  const pause = async (name: string, pids: () => readonly number[]) => {
    await strike(name, 'pause')
    const those = pids()
    signal(those, 'SIGSTOP')
    await sleep(random.between(...PAUSE_MS))
    signal(those, 'SIGCONT')
  }

  const hitPostgres = async () => {
    const own = bed.pids()
    const how = own.length === 0 ? 'cut' : random.pick(HOW_POSTGRES)
    if (how === 'pause') return pause('postgres', bed.pids)
    await strike('postgres', how)
    // a server that has just crashed has no connections either
    if (how === 'cut') await bed.cut().catch(() => {})
    else if (how === 'crash') signal([own[1 + Math.floor(random.next() * (own.length - 1))]!], 'SIGKILL')
    // fast shutdown; this process watches its server and starts it again
    else signal([own[0]!], 'SIGINT')
  }

  return {
    /** One blow; resolves when it was struck, with whether that was a kill. */
    async next(): Promise<boolean> {
      const target = random.pick(TARGETS)
      if (target === 'postgres') {
        await hitPostgres()
        return false
      }
      const those = bed.slots.filter(({ role, isUp }) => role === target && isUp)
      let slot = those[Math.floor(random.next() * those.length)]
      if (!slot) return false
      const how = target === 'voice' ? random.pick(HOW_VOICE) : random.pick(HOW)
      if (how === 'pause') {
        const pid = slot.running!.child.pid!
        await pause(slot.name, () => [pid])
        return false
      }
      if (target === 'voice' && random.next() < AIMED) {
        const node = await Promise.race([deciding(), sleep(AIM_LIMIT_MS, undefined)])
        slot = those.find(({ name }) => name === node) ?? slot
        await sleep(random.between(0, AIM_MS))
      }
      if (!slot.isUp) return false
      if (how === 'thread') {
        await killThread(slot)
        return false
      }
      await kill(slot)
      return true
    },
    /** Resolves when all that was killed runs again. */
    async settled(): Promise<void> {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}
