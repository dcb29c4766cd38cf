import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openAsterisk, there } from '../test/asterisk/rig.ts'
import { type Child, startChild, type Used } from './child.ts'
import { untilAll } from './media.ts'
import { median, type Progress, type Result } from './result.ts'

export interface AsteriskOptions {
  rounds: number
  /** Of each measurement. */
  seconds: number
  /** MEDIA_THREADS. */
  threads: string
  progress: Progress
}

const CALLS = 41
const NAMES = ['echo', 'listening', 'playing'] as const
type Name = (typeof NAMES)[number]
/** % of a core that the service may need: half of what it needed when it had one thread, whatever the calls did. */
const GOAL = 11
const SETTLE_MS = 4000
/** Clock ticks of Linux in a second. */
const TICKS = 100

/** CPU of the service for calls of a real Asterisk, whose callers speak, beside a bare echo for the same calls. */
export async function benchAsterisk({
  rounds,
  seconds,
  threads,
  progress,
}: AsteriskOptions): Promise<Result[]> {
  if (!there) {
    process.stderr.write('asterisk: skipped, there is no Asterisk; see scripts/asterisk-root.sh\n')
    return []
  }
  await using owner = new AsyncDisposableStack()
  const ending = new AbortController()
  owner.defer(() => ending.abort())
  const start = (file: string) => {
    const child = startChild(file)
    owner.defer(() => child.close())
    return child
  }
  progress('asterisk: starting an echo, two services and Asterisk')
  const servers = {} as Record<Name, { child: Child; port: number }>
  for (const name of NAMES) {
    const child = start(name === 'echo' ? 'media-echo.ts' : 'media-service.ts')
    const scene = { state: name, legs: CALLS, idle: 'continuous', threads }
    servers[name] = { child, port: await child.ask<number>('start', scene) }
  }
  const rig = {
    defer: (release: () => unknown) => owner.defer(async () => void (await release())),
    signal: ending.signal,
  }
  const { manager, pid } = await openAsterisk(rig, { 'extensions.conf': DIALPLAN })

  const series = () =>
    Object.fromEntries(NAMES.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  const [ours, theirs] = [series(), series()]
  for (let round = 1; round <= rounds; round++)
    for (const name of NAMES) {
      progress(`asterisk: round ${round} of ${rounds}, ${CALLS} calls, ${name}`)
      const { child, port } = servers[name]
      for (let call = 0; call < CALLS; call++)
        await manager.ask('Originate', {
          Channel: `Local/${port}@visitor/n`,
          Context: 'caller',
          Exten: 's',
          Priority: '1',
          Codecs: 'slin',
          Async: 'true',
        })
      await untilAll(child, name, CALLS)
      await sleep(SETTLE_MS)
      await untilAll(child, name, CALLS)
      const [before, began] = [ticks(pid), performance.now()]
      await child.ask('used')
      await sleep(seconds * 1000)
      const { cpu } = await child.ask<Used>('used')
      const took = performance.now() - began
      ours[name].push(cpu / 10 / took)
      theirs[name].push(((ticks(pid) - before) * 100_000) / TICKS / took)
      await manager.ask('Hangup', { Channel: '/^Local/' })
      while ((await manager.channels()).length > 0) await sleep(100)
    }

  const frames = CALLS * 50
  const baseline = median(ours.echo)
  return (['listening', 'playing'] as const).map((name) => ({
    bench: `asterisk, ${name}`,
    facts: { calls: CALLS, rounds, seconds, threads: Number(threads) },
    measured: median(ours[name]),
    baseline,
    unit: '% of a core',
    against: 'a bare node:net echo',
    ratio: median(ours[name]) / baseline,
    goal: { measured: GOAL },
    more: {
      'µs CPU a frame': (median(ours[name]) * 1e4) / frames,
      'µs CPU a frame (echo)': (baseline * 1e4) / frames,
      'Asterisk, % of a core': median(theirs[name]),
      'Asterisk, % of a core (echo)': median(theirs.echo),
    },
  }))
}

/** Callers speak on and on; the extension is the port that hears them. */
const DIALPLAN = `
[visitor]
exten => _X.,1,Answer()
 same => n,AudioSocket(\${UUID()},127.0.0.1:\${EXTEN})
 same => n,Hangup()
[caller]
exten => s,1,Answer()
 same => n(again),Playback(INSIDE/speech)
 same => n,Goto(again)
`

/** CPU of a process so far, in user and system. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return Number(fields[11]) + Number(fields[12])
}
