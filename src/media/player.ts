import { FRAME_MS } from '../audio.ts'
import type { FrameSource } from './frames.ts'
import type { Utterance } from './prompts.ts'

export interface Played {
  /** How much of it was handed out, ms: all of it, unless interrupted. */
  readonly playedMs: number
  readonly interrupted: boolean
  /** When its first frame was handed out, ms since the epoch; undefined when none was. */
  readonly beganAt: number | undefined
}

/**
 * What one leg hears, one whole message for each slot of 20 ms: an utterance before anything else, then the live sound of
 * the other leg, then a background tone.
 */
export interface Player extends FrameSource {
  /**
   * Settles when the utterance has been played out, or with the exact position when it was interrupted: by the signal, by
   * `stop`, or by the next utterance. Never rejects.
   */
  play(utterance: Pick<Utterance, 'frames'>, signal?: AbortSignal): Promise<Played>
  /** Interrupts the utterance; returns its position in ms, or undefined when none is playing. */
  stop(): number | undefined
  /** A tone without end below everything else; from its beginning again after each utterance. Returns its end. */
  loop(frames: readonly Buffer[]): () => void
  /** The other leg's sound, or null when they are no longer bridged. What comes during an utterance is not kept. */
  live(source: FrameSource | null): void
  /** True when no utterance, tone or bridge is set. */
  idle(): boolean
  /** Interrupts and forgets everything; whatever is asked afterwards is interrupted at once. */
  close(): void
}

export interface PlayerOptions {
  /** There is something to play from now on: tells the transport, which sleeps while `next` gives null. */
  wake?: () => void
  onIdleChange?: (idle: boolean) => void
}

interface Running {
  readonly frames: readonly Buffer[]
  at: number
  beganAt: number | undefined
  settle(interrupted: boolean): void
}

export function createPlayer({ wake, onIdleChange }: PlayerOptions = {}): Player {
  let utterance: Running | null = null
  let background: { readonly frames: readonly Buffer[]; at: number } | null = null
  let live: FrameSource | null = null
  let wasIdle = true
  let closed = false

  const isIdle = () => utterance === null && background === null && live === null
  const changed = () => {
    const idle = isIdle()
    if (idle === wasIdle) return
    wasIdle = idle
    onIdleChange?.(idle)
  }

  function play({ frames }: Pick<Utterance, 'frames'>, signal?: AbortSignal): Promise<Played> {
    utterance?.settle(true)
    if (closed || signal?.aborted)
      return Promise.resolve({ playedMs: 0, interrupted: true, beganAt: undefined })
    return new Promise((resolve) => {
      const interrupt = () => running.settle(true)
      const running: Running = {
        frames,
        at: 0,
        beganAt: undefined,
        settle(interrupted) {
          signal?.removeEventListener('abort', interrupt)
          utterance = null
          if (background !== null) background.at = 0
          resolve({ playedMs: running.at * FRAME_MS, interrupted, beganAt: running.beganAt })
          // an utterance that replaces this one must not look like a moment of idleness
          queueMicrotask(changed)
        },
      }
      utterance = running
      signal?.addEventListener('abort', interrupt, { once: true })
      changed()
      wake?.()
    })
  }

  function next(): Buffer | null {
    if (utterance !== null) {
      if (utterance.at < utterance.frames.length) {
        // drained, so that the bridge begins with the present and not with what was said under the prompt
        live?.next()
        if (utterance.at === 0) utterance.beganAt = Date.now()
        return utterance.frames[utterance.at++]!
      }
      // asked again in the slot after the last frame: only now has that one sounded to its end
      utterance.settle(false)
    }
    const heard = live?.next()
    if (heard != null) return heard
    if (background === null) return null
    if (background.at === background.frames.length) background.at = 0
    return background.frames[background.at++]!
  }

  function stop(): number | undefined {
    const running = utterance
    running?.settle(true)
    return running === null ? undefined : running.at * FRAME_MS
  }

  return {
    play,
    next,
    stop,
    loop(frames) {
      if (closed || frames.length === 0) return () => {}
      const tone = { frames, at: 0 }
      background = tone
      changed()
      wake?.()
      return () => {
        // a later tone has its own end
        if (background !== tone) return
        background = null
        changed()
      }
    },
    live(source) {
      if (closed) return
      live = source
      changed()
      if (source !== null) wake?.()
    },
    idle: isIdle,
    close() {
      if (closed) return
      closed = true
      utterance?.settle(true)
      background = null
      live = null
      changed()
    },
  }
}
