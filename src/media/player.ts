import { FRAME_MS } from '../platform/audio.ts'
import type { FrameSource } from './frames.ts'
import type { PlayableUtterance } from './prompts.ts'

export interface Played {
  /** How much of it was played, in ms: all of it, unless interrupted. */
  readonly playedMs: number
  readonly interrupted: boolean
  /** When its first frame was played, ms since the epoch; undefined when none was. */
  readonly beganAt: number | undefined
}

/**
 * The sound one leg hears, one whole message for each slot of 20 ms: an utterance first, else the live sound of
 * the other leg, else a background tone.
 */
interface Player extends FrameSource {
  /**
   * Settles when the utterance has been played out, or with the exact position when the signal or the next utterance
   * interrupted it. Never rejects.
   */
  play(utterance: Pick<PlayableUtterance, 'frames'>, signal?: AbortSignal): Promise<Played>
  /** Loops a tone with the lowest priority; it restarts after each utterance. Returns a function that ends it. */
  loop(frames: readonly Buffer[]): () => void
  /** The other leg's sound, or null when they are no longer bridged. Sound that arrives during an utterance is dropped. */
  live(source: FrameSource | null): void
  /** Interrupts and drops everything; later utterances are interrupted at once. */
  close(): void
}

interface PlayerOptions {
  /** Called when there is something to play, for a transport that sleeps while `next` returns null. */
  wake?: () => void
  /** Gets each message of an utterance as it leaves. */
  onPlayed?: (message: Buffer) => void
}

interface Running {
  readonly frames: readonly Buffer[]
  at: number
  beganAt: number | undefined
  settle(interrupted: boolean): void
}

interface Tone {
  readonly frames: readonly Buffer[]
  at: number
}

export function createPlayer(options: PlayerOptions = {}): Player {
  return new LegPlayer(options)
}

class LegPlayer implements Player {
  utterance: Running | null = null
  line: FrameSource | null = null
  background: Tone | null = null
  readonly wake: PlayerOptions['wake']
  readonly onPlayed: PlayerOptions['onPlayed']
  closed = false

  constructor({ wake, onPlayed }: PlayerOptions) {
    this.wake = wake
    this.onPlayed = onPlayed
  }

  play({ frames }: Pick<PlayableUtterance, 'frames'>, signal?: AbortSignal): Promise<Played> {
    this.utterance?.settle(true)
    if (this.closed || signal?.aborted)
      return Promise.resolve({ playedMs: 0, interrupted: true, beganAt: undefined })
    return new Promise((resolve) => {
      const interrupt = () => running.settle(true)
      const running: Running = {
        frames,
        at: 0,
        beganAt: undefined,
        settle: (interrupted) => {
          signal?.removeEventListener('abort', interrupt)
          this.utterance = null
          if (this.background !== null) this.background.at = 0
          resolve({ playedMs: running.at * FRAME_MS, interrupted, beganAt: running.beganAt })
        },
      }
      this.utterance = running
      signal?.addEventListener('abort', interrupt, { once: true })
      this.wake?.()
    })
  }

  next(): Buffer | null {
    const { utterance } = this
    if (utterance !== null) {
      if (utterance.at < utterance.frames.length) {
        // drained, so that the bridge continues with current sound, not with sound from under the prompt
        this.line?.next()
        if (utterance.at === 0) utterance.beganAt = Date.now()
        const message = utterance.frames[utterance.at++]!
        this.onPlayed?.(message)
        return message
      }
      // called in the slot after the last frame: only now has that frame been played to its end
      utterance.settle(false)
    }
    const heard = this.line?.next()
    if (heard != null) return heard
    const { background } = this
    if (background === null) return null
    if (background.at === background.frames.length) background.at = 0
    return background.frames[background.at++]!
  }

  loop(frames: readonly Buffer[]): () => void {
    if (this.closed || frames.length === 0) return () => {}
    const tone = { frames, at: 0 }
    this.background = tone
    this.wake?.()
    return () => {
      // a later tone has replaced it
      if (this.background !== tone) return
      this.background = null
    }
  }

  live(source: FrameSource | null): void {
    if (this.closed) return
    this.line = source
    if (source !== null) this.wake?.()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.utterance?.settle(true)
    this.background = null
    this.line = null
  }
}
