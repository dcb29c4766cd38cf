/** Slots of 1 ms; a power of two above the longest wait, which is the second between two keep-alives. */
const SLOTS = 1024
const MASK = SLOTS - 1

/**
 * An entry of a wheel: a link of a ring, so that adding, expiring and removing cost no memory and no search. A new entry
 * is a ring by itself.
 */
export class Waiting {
  /** The tick (whole ms) it waits for; set by the wheel. */
  at = 0
  previous: Waiting = this
  next: Waiting = this
}

interface Wheel {
  /** The first `sweep` at or after tick `at` visits `waiting`; `at` is less than 1,024 ticks ahead. */
  put(waiting: Waiting, at: number): void
  take(waiting: Waiting): void
  /** Visits everything due up to tick `now`, in order of time. Visitors may put and take entries. */
  sweep(now: number, visit: (waiting: Waiting) => void): void
  /** The tick of the first slot in use; undefined when nothing waits except the entries of a sweep in progress. */
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
        // moved aside first: an entry that is put back into this slot is not due again
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
