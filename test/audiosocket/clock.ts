import FakeTimers from '@sinonjs/fake-timers'
import { audioFrame, SILENCE } from '../../src/audiosocket/frame.ts'
import { createPacer, type FrameSource, type Pacer, type PacerOptions } from '../../src/audiosocket/pacer.ts'

export const FRAME = audioFrame(new Uint8Array(320).fill(1))

/** A clock of the test's own: `run` lets time pass in steps of 1 ms, `stall` lets it pass without a timer being served. */
export interface Simulation {
  pacer: Pacer
  /** ms since the beginning */
  now(): number
  run(ms: number): void
  stall(ms: number): void
  timers(): number
}

export function simulate(
  play: (simulation: Simulation) => void,
  options: Omit<PacerOptions, 'now'> = {},
): void {
  const clock = FakeTimers.install({
    toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'],
    now: 0,
  })
  const now = () => clock.now
  const pacer = createPacer({ ...options, now })
  try {
    play({
      pacer,
      now,
      run: (ms) => clock.tick(ms),
      stall: (ms) => clock.jump(ms),
      timers: () => clock.countTimers(),
    })
  } finally {
    pacer.close()
    clock.uninstall()
  }
}

/** `frames` of audio, then nothing; counts how often it was asked. */
export function createTune(frames: number): FrameSource & { asked: number; left: number } {
  return {
    asked: 0,
    left: frames,
    next() {
      this.asked++
      return this.left > 0 && this.left-- > 0 ? FRAME : null
    },
  }
}

/** When the audio left; the silence that follows it is not its business. */
export function keepTimes(times: number[], now: () => number) {
  return (frame: Buffer) => {
    if (frame !== SILENCE) times.push(now())
  }
}
