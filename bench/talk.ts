import { startChild } from './child.ts'
import { talk } from './media.ts'
import { median, type Progress, type Result } from './result.ts'
import type { Phase, PhaseHeard } from './talk-phones.ts'

export interface TalkOptions {
  rounds: number
  /** MEDIA_THREADS. */
  threads: string
  progress: Progress
}

/** At the same time. */
const TALKS = 10
const CALM = { jitter: 0, late: 0, lateMs: 0 }
/** Together less than a talk may last. In the first one the ear learns what it hears. */
const PHASES: readonly Phase[] = [
  { seconds: 5, ...CALM },
  { seconds: 10, ...CALM },
  { seconds: 50, jitter: 40, late: 0.02, lateMs: 100 },
  { seconds: 20, ...CALM },
]

/**
 * Talks of whole calls whose packets are late: 40 ms of jitter, and one packet in fifty 100 ms late, both ways. What each hears is
 * compared with what the other said. The baseline is the same talks before the jitter.
 */
export async function benchTalk({ rounds, threads, progress }: TalkOptions): Promise<Result[]> {
  await using owner = new AsyncDisposableStack()
  const start = (file: string) => {
    const child = startChild(file)
    owner.defer(() => child.close())
    return child
  }
  progress('talk: starting a service')
  const [phones, server] = [start('talk-phones.ts'), start('media-service.ts')]
  const legs = 2 * TALKS
  const port = await server.ask<number>('start', { state: 'talking', legs, idle: 'continuous', threads })
  const seen: { calm: PhaseHeard; jitter: PhaseHeard; after: PhaseHeard }[] = []
  for (let round = 1; round <= rounds; round++) {
    progress(`talk: round ${round} of ${rounds}, ${TALKS} talks`)
    await phones.ask('connect', { port, legs: TALKS })
    await talk(server, phones, TALKS)
    const [, calm, jitter, after] = await phones.ask<PhaseHeard[]>('measure', { phases: PHASES, seed: round })
    seen.push({ calm: calm!, jitter: jitter!, after: after! })
    await phones.ask('hangUp')
  }

  const of = (phase: 'calm' | 'jitter' | 'after', value: (heard: PhaseHeard) => number) =>
    median(seen.map((round) => value(round[phase])))
  const row = (
    name: string,
    unit: string,
    [measured, baseline]: [number, number],
    goal: number,
    more: Record<string, number>,
  ): Result => ({
    bench: `talk, ${name}`,
    facts: { talks: TALKS, rounds, threads: Number(threads) },
    measured,
    baseline,
    unit,
    against: 'before the jitter',
    ratio: measured / baseline,
    goal: { measured: goal },
    more,
  })
  const lost = ({ lost, frames }: PhaseHeard) => (100 * lost) / frames
  const unlike = ({ correlation }: PhaseHeard) => 1 - correlation
  const longest = (heard: PhaseHeard) => heard.longestSecond
  return [
    row('speech in time that was not heard', '%', [of('jitter', lost), of('calm', lost)], 0, {
      'frames of speech': of('jitter', ({ frames }) => frames),
      'frames that came late': of('jitter', ({ late }) => late),
      'of these not heard': of('jitter', ({ lostLate }) => lostLate),
      'pauses left out': of('jitter', ({ skipped }) => skipped),
    }),
    row('1 - correlation', '', [of('jitter', unlike), of('calm', unlike)], 0.02, {
      afterwards: of('after', unlike),
    }),
    row('longest delay', 'ms', [of('jitter', longest), of('calm', longest)], 120, {
      'median of all frames in ms': of('jitter', ({ delay }) => delay),
      'of a single frame in ms': of('jitter', (heard) => heard.longest),
      'of a single frame in ms, before': of('calm', (heard) => heard.longest),
    }),
    row(
      'delay 10 s after the jitter',
      'ms',
      [of('after', ({ delayAtEnd }) => delayAtEnd), of('calm', ({ delay }) => delay)],
      40,
      {},
    ),
  ]
}
