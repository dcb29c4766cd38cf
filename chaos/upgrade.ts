/** A rolling upgrade of two nodes under live calls: each is killed and comes back as the present version. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '../bench/child.ts'
import { STATIONS, type Station } from '../bench/recovery-bed.ts'
import type { Returned } from '../bench/recovery-phones.ts'
import type { Rig } from '../test/rig/rig.ts'
import type { Bed } from './bed.ts'

/** ms from one look at the calls to the next, until they stand as they shall, and for the last visitor to hear something. */
const LOOK_MS = 500
const STANDING_MS = 240_000
const RETURN_MS = 240_000
/** Visitors who call at the same time. */
const AT_ONCE = 10
/** ms between a visitor's attempts to connect again. */
const RETRY_MS = 500

interface UpgradeOptions {
  bed: Bed
  /** Checkout of the version before, with its dependencies. */
  from: string
  calls: number
  log: (line: string) => void
}

/** Resolves with what became of the calls, for people, and whether all was well. */
export async function upgrade(rig: Rig, { bed, from, calls, log }: UpgradeOptions) {
  const nodes = bed.slots
  await Promise.all(nodes.map((slot) => bed.launch(slot, from)))
  log(`${nodes.length} nodes of the version before are up`)
  const phones = startChild('recovery-phones.ts')
  rig.defer(() => phones.close())
  const share = calls / nodes.length
  for (const { ports } of nodes) {
    const stations = Array.from({ length: share }, (_, index): Station => STATIONS[index % STATIONS.length]!)
    for (let made = 0; made < share; made += AT_ONCE)
      await phones.ask('call', { port: ports['visitor'], stations: stations.slice(made, made + AT_ONCE) })
  }
  const standing = Date.now() + STANDING_MS
  for (;;) {
    const [now] = await bed.database.query<{ kept: number; ringing: number; keys: string[] }>(KEPT)
    log(`${now!.kept} calls are kept, ${now!.ringing} ring`)
    if (now!.kept === calls && now!.ringing >= Math.floor(calls / STATIONS.length) - nodes.length) break
    if (Date.now() > standing) throw new Error('the calls do not stand as they shall')
    await sleep(LOOK_MS)
  }
  const before = await bed.database.query<{ machines: string }>('select distinct machines from kept_calls')
  await phones.ask('expectLoss', { retryMs: RETRY_MS })
  for (const slot of nodes) {
    await bed.kill(slot)
    await bed.launch(slot)
    log(`${slot.name} is upgraded`)
    // the next one follows when its calls go on
    const wanted = share * (nodes.indexOf(slot) + 1)
    const limit = Date.now() + RETURN_MS
    while ((await restoredOf(bed)) < wanted * 0.99 && Date.now() < limit) await sleep(LOOK_MS)
  }
  const { back, instead } = await phones.ask<Returned>('returned', { limitMs: RETURN_MS })
  const restored = await restoredOf(bed)
  const [anew] = await bed.database.query<{ count: number }>(ANEW)
  const after = await bed.database.query<{ machines: string }>('select distinct machines from kept_calls')
  await phones.ask('hangUp')
  const silently = instead['greeting'] ?? 0
  const versions = (rows: readonly { machines: string }[]) => rows.map(({ machines }) => machines).join(', ')
  const { version } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8'))
  const lines = [
    `| calls over a rolling upgrade of ${nodes.length} nodes (kill −9, from a checkout of ${version}) | ${calls} |`,
    '| --- | --- |',
    `| went on where they were | ${restored - anew!.count} (${((100 * (restored - anew!.count)) / calls).toFixed(1)} %) |`,
    `| begun anew, with an apology | ${anew!.count} |`,
    `| begun anew without a word | ${silently} |`,
    `| heard something else first | ${
      Object.entries(instead)
        .map(([what, count]) => `${what} ${count}`)
        .join(', ') || 'none'
    } |`,
    `| heard the apology and went on | ${back.length} |`,
    `| keys of the machines before and after | ${versions(before)} → ${versions(after)} |`,
  ]
  return { text: lines.join('\n'), isWell: restored - anew!.count >= calls * 0.99 && silently === 0 }
}

async function restoredOf({ database }: Bed): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `select count(distinct call_id)::int as count from call_events where kind = 'restored'`,
  )
  return row!.count
}

const KEPT = `
  select count(*)::int as kept, count(*) filter (where snapshot #> '{value,reaching,searching}' is not null)::int as ringing
  from kept_calls`
const ANEW = `select count(distinct call_id)::int as count from call_events where kind = 'started' and data ? 'beginning'`
