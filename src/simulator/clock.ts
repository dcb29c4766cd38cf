import { FRAME_MS } from '../platform/audio.ts'

/** A member that the clock calls every 20 ms. */
interface Ticking {
  /**
   * `late`: ms that this round of the clock came after its deadline. `last`: false while ticks that a stall held back
   * are made up, so that counting only the last ones counts how often the loop went round, not how long it slept.
   */
  tick(now: number, late: number, last: boolean): void
}

interface PhoneClock {
  /** Starts ticking; the function returned ends it. */
  add(member: Ticking): () => void
}

// members are spread over five slots, so that 1,000 phones do not write in the same millisecond
const SLOTS = 5
const SLOT_MS = FRAME_MS / SLOTS
// no catching up after a longer stall: a PBX that slept for a second has lost that second
const STALL_STEPS = (1000 / FRAME_MS) * SLOTS
// timers may fire up to a millisecond early
const EARLY_MS = 1

/** One timer for any number of phones, by absolute deadlines; no timer without phones. */
export function createPhoneClock(now: () => number = () => performance.now()): PhoneClock {
  const slots = Array.from({ length: SLOTS }, () => new Set<Ticking>())
  let origin = 0
  let step = 0
  let timer: NodeJS.Timeout | undefined
  let running = false

  const deadline = (of: number) => origin + of * SLOT_MS

  const run = () => {
    const at = now()
    const late = at - deadline(step)
    // one tick remains, so that the members notice the stall
    if (late > STALL_STEPS * SLOT_MS) {
      step = (Math.floor((at - origin) / FRAME_MS) - 1) * SLOTS + (step % SLOTS)
    }
    running = true
    while (deadline(step) <= at + EARLY_MS) {
      const last = deadline(step + SLOTS) > at + EARLY_MS
      for (const member of slots[step % SLOTS]!) member.tick(at, late, last)
      step++
    }
    running = false
    arm()
  }

  const arm = () => {
    for (let skipped = 0; skipped < SLOTS; skipped++) {
      if (slots[step % SLOTS]!.size > 0) {
        timer = setTimeout(run, Math.max(0, deadline(step) - now()))
        return
      }
      step++
    }
    timer = undefined
  }

  return {
    add(member) {
      const slot = slots.reduce((least, candidate) => (candidate.size < least.size ? candidate : least))
      slot.add(member)
      // the current run also sees a phone that was created by a tick
      if (!running) {
        if (timer === undefined) {
          origin = now()
          step = 1
        } else {
          clearTimeout(timer)
          step = Math.min(step, Math.ceil((now() - origin) / SLOT_MS))
        }
        arm()
      }
      return () => {
        slot.delete(member)
        if (slots.every(({ size }) => size === 0)) {
          clearTimeout(timer)
          timer = undefined
        }
      }
    },
  }
}

/** The clock of all phones of this process. */
export const phoneClock = createPhoneClock()
