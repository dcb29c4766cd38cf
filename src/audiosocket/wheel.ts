/** Slots of 1 ms; a power of two above the longest wait, which is the second between two keep-alives. */
const SLOTS = 1024
const MASK = SLOTS - 1

/**
 * What waits in a wheel: a link of a ring, so that coming, going and leaving early cost no memory and no search. A new one
 * waits for nothing: it is a ring of its own.
 */
export class Waiting {
  /** The tick (whole ms) it waits for; set by the wheel. */
  at = 0
  previous: Waiting = this
  next: Waiting = this
}

interface Wheel {
  /** `waiting` comes up in the first `sweep` at or after tick `at`, less than 1,024 ticks ahead. */
  put(waiting: Waiting, at: number): void
  take(waiting: Waiting): void
  /** Visits, in order of time, everything due up to tick `now`. Visitors may put and take anything. */
  sweep(now: number, visit: (waiting: Waiting) => void): void
  /** The tick of the first slot in use; undefined when nothing waits beyond what a sweep under way still visits. */
  first(): number | undefined
}

/** A timer wheel: a thousand legs with a deadline each every 20 ms share one clock at a constant cost. */
export function createWheel(): Wheel {
  const slots = Array.from({ length: SLOTS }, () => new Waiting())
  const due = new Waiting()
  let swept = 0
  let size = 0

  const take = (waiting: Waiting) => {
    if (waiting.next === waiting) return
    unlink(waiting)
    size--
  }

  return {
    put(waiting, at) {
      take(waiting)
      waiting.at = Math.max(at, swept + 1)
      append(slots[waiting.at & MASK]!, waiting)
      size++
    },

    take,

    sweep(now, visit) {
      for (let tick = Math.max(swept + 1, now - MASK); tick <= now; tick++) {
        // moved aside first: a visitor that puts itself back into this very slot is not due again
        const slot = slots[tick & MASK]!
        for (let waiting = slot.next; waiting !== slot; ) {
          const following = waiting.next
          if (waiting.at <= now) {
            unlink(waiting)
            append(due, waiting)
          }
          waiting = following
        }
        swept = tick
        while (due.next !== due) {
          const waiting = due.next
          take(waiting)
          visit(waiting)
        }
      }
    },

    first() {
      for (let tick = swept + 1; size > 0 && tick <= swept + SLOTS; tick++) {
        const slot = slots[tick & MASK]!
        if (slot.next !== slot) return tick
      }
      return undefined
    },
  }
}

function append(ring: Waiting, link: Waiting): void {
  link.previous = ring.previous
  link.next = ring
  ring.previous.next = link
  ring.previous = link
}

function unlink(link: Waiting): void {
  link.previous.next = link.next
  link.next.previous = link.previous
  link.previous = link
  link.next = link
}
