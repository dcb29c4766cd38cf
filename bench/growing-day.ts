/** What one call of a kind does to the database and the machine, as measured on a running service. */
export interface Footprint {
  /** From the first sound to the end, without ringing and talk. */
  seconds: number
  /** Of them, those of the resident's leg. */
  residentSeconds: number
  /** Rows inserted, updated and deleted. */
  rows: number
  walBytes: number
  /** Left in the database, with indexes. */
  storedBytes: number
  notifies: number
  /** Messages that go through the queue: webhooks and the gate's command. */
  messages: number
  /** Bytes of recordings. */
  recordedBytes: number
}

export type Kind = 'answered' | 'unanswered' | 'left'

/** What is assumed, not measured. */
export const ASSUMED = {
  callsADay: 30,
  /** Of the calls of a day in %, by the hour: deliveries at noon, people who come home in the evening. */
  profile: [1, 0.5, 0.5, 0.5, 0.5, 1, 3, 5, 5, 5, 5, 6, 7, 6, 5, 5, 6, 7, 9, 8, 6, 4, 2.5, 1.5],
  kinds: { answered: 0.75, unanswered: 0.15, left: 0.1 } satisfies Record<Kind, number>,
  /** s until a resident answers: median and spread of a log-normal distribution. */
  ring: { median: 9, sigma: 0.5 },
  /** s that nobody answers: two contacts, 30 s each. */
  unansweredRing: 60,
  /** Of the answered calls, and s of talk at the mean of an exponential distribution. */
  talks: { part: 0.3, mean: 25 },
  /** s of one delivery. */
  delivery: { median: 0.15, sigma: 0.6 },
  failing: 0.01,
  /** s before the retries, doubled with each, and their number: the defaults of MESSAGE_RETRY_DELAY and _LIMIT. */
  retry: 10,
  retries: 5,
  /** Every receiver is away in the busiest hour for so long, s. */
  outage: 600,
} as const

export interface DayOptions {
  condominiums: number
  callsADay: number
  nodes: number
  workers: number
  /** Deliveries at once in one process of the role worker. */
  slots: number
  outage: boolean
}

export interface Day {
  calls: number
  busiestHour: number
  callsAtOnce: { p99: number; max: number }
  /** Of the node that has most. */
  legsOfNode: { p99: number; max: number }
  /** In the busiest minute, a second. */
  rows: number
  notifies: number
  walBytes: number
  messages: number
  queue: { max: number; oldestSeconds: number }
  /** Messages that were given up after their last retry. */
  dead: number
  /** Of the whole day. */
  walBytesOfDay: number
  storedBytes: number
  recordedBytes: number
}

const DAY = 86_400
type Event =
  | { at: number; type: 'leg'; node: number; by: 1 | -1 }
  | { at: number; type: 'call'; by: 1 | -1 }
  | { at: number; type: 'due'; tries: number }
  | { at: number; type: 'free' }

/** One day of calls, event by event. The same options give the same day. */
export function simulateDay(footprints: Record<Kind, Footprint>, options: DayOptions): Day {
  const { condominiums, callsADay, nodes, workers, slots, outage } = options
  const random = createRandom(condominiums)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const logNormal = ({ median, sigma }: { median: number; sigma: number }) =>
    median * Math.exp(sigma * normal())
  const exponential = (mean: number) => -mean * Math.log(1 - random())

  const heap = createHeap<Event>()
  const perSecond = { rows: bins(), notifies: bins(), walBytes: bins() }
  const total = { walBytes: 0, storedBytes: 0, recordedBytes: 0 }
  const whole = ASSUMED.profile.reduce((sum, part) => sum + part, 0)
  const busiest = ASSUMED.profile.indexOf(Math.max(...ASSUMED.profile) as never)
  let calls = 0
  let busiestHour = 0

  for (let hour = 0; hour < 24; hour++) {
    const wanted = (condominiums * callsADay * ASSUMED.profile[hour]!) / whole
    const gap = 3600 / wanted
    for (let at = hour * 3600 + exponential(gap); at < (hour + 1) * 3600; at += exponential(gap)) {
      calls++
      if (hour === busiest) busiestHour++
      addCall(at)
    }
  }

  function addCall(at: number): void {
    const drawn = random()
    const { answered, unanswered } = ASSUMED.kinds
    const kind = drawn < answered ? 'answered' : drawn < answered + unanswered ? 'unanswered' : 'left'
    const its = footprints[kind]
    const talk = kind === 'answered' && random() < ASSUMED.talks.part ? exponential(ASSUMED.talks.mean) : 0
    const ring =
      kind === 'answered'
        ? Math.min(30, logNormal(ASSUMED.ring))
        : kind === 'unanswered'
          ? ASSUMED.unansweredRing
          : 0
    const end = at + its.seconds + ring + talk
    const node = Math.floor(random() * nodes)
    heap.push({ at, type: 'call', by: 1 })
    heap.push({ at: end, type: 'call', by: -1 })
    heap.push({ at, type: 'leg', node, by: 1 })
    heap.push({ at: end, type: 'leg', node, by: -1 })
    if (kind === 'answered') {
      const resident = end - talk - its.residentSeconds
      heap.push({ at: resident, type: 'leg', node, by: 1 })
      heap.push({ at: end, type: 'leg', node, by: -1 })
    }
    for (const name of ['rows', 'notifies', 'walBytes'] as const) spread(perSecond[name], at, end, its[name])
    total.walBytes += its.walBytes
    total.storedBytes += its.storedBytes
    total.recordedBytes += its.recordedBytes
    for (let message = 0; message < its.messages; message++)
      heap.push({ at: at + random() * (end - at), type: 'due', tries: 0 })
  }

  const downFrom = outage ? busiest * 3600 + 1200 : Number.POSITIVE_INFINITY
  const downTo = downFrom + ASSUMED.outage
  const sent = bins()
  const callsAtOnce = createLevel()
  const legs = Array.from({ length: nodes }, createLevel)
  const waiting: { since: number; tries: number }[] = []
  let first = 0
  let free = workers * slots
  let delayed = 0
  const queue = { max: 0, oldestSeconds: 0 }
  let dead = 0

  const work = (now: number) => {
    while (free > 0 && first < waiting.length) {
      const { since, tries } = waiting[first++]!
      free--
      queue.oldestSeconds = Math.max(queue.oldestSeconds, now - since)
      const down = now >= downFrom && now < downTo
      const fails = down || random() < ASSUMED.failing
      // a receiver that is away refuses at once
      const done = now + (down ? 0.01 : logNormal(ASSUMED.delivery))
      spread(sent, now, now + 1, 1)
      heap.push({ at: done, type: 'free' })
      if (!fails) continue
      if (tries === ASSUMED.retries) {
        dead++
        continue
      }
      delayed++
      heap.push({
        at: done + ASSUMED.retry * 2 ** tries * (0.5 + random() / 2),
        type: 'due',
        tries: tries + 1,
      })
    }
    if (first > 10_000) {
      waiting.splice(0, first)
      first = 0
    }
  }
  for (let event = heap.pop(); event && event.at < DAY; event = heap.pop()) {
    const { at } = event
    if (event.type === 'call') callsAtOnce.change(at, event.by)
    else if (event.type === 'leg') legs[event.node]!.change(at, event.by)
    else if (event.type === 'free') {
      free++
      work(at)
    } else {
      if (event.tries > 0) delayed--
      waiting.push({ since: at, tries: event.tries })
      work(at)
    }
    const depth = waiting.length - first + delayed
    queue.max = Math.max(queue.max, depth)
  }

  const most = legs.map((level) => level.told()).toSorted((a, b) => b.max - a.max)[0]!
  return {
    calls,
    busiestHour,
    callsAtOnce: callsAtOnce.told(),
    legsOfNode: most,
    rows: busiestMinute(perSecond.rows),
    notifies: busiestMinute(perSecond.notifies),
    walBytes: busiestMinute(perSecond.walBytes),
    messages: busiestMinute(sent),
    queue,
    dead,
    walBytesOfDay: total.walBytes,
    storedBytes: total.storedBytes,
    recordedBytes: total.recordedBytes,
  }
}

function bins(): Float64Array {
  return new Float64Array(DAY)
}

/** Distributes an amount evenly over the seconds of a call. */
function spread(into: Float64Array, from: number, to: number, amount: number): void {
  const [first, last] = [Math.floor(from), Math.max(Math.floor(from), Math.ceil(to) - 1)]
  const part = amount / (last - first + 1)
  for (let second = first; second <= last && second < DAY; second++) into[second]! += part
}

/** The mean of the busiest minute. */
function busiestMinute(values: Float64Array): number {
  let most = 0
  for (let minute = 0; minute < DAY; minute += 60) {
    let sum = 0
    for (let second = minute; second < minute + 60; second++) sum += values[second]!
    most = Math.max(most, sum / 60)
  }
  return most
}

/** How many there are, weighted by time. */
function createLevel() {
  const seconds: number[] = []
  let value = 0
  let since = 0
  return {
    change(at: number, by: number) {
      seconds[value] = (seconds[value] ?? 0) + at - since
      since = at
      value += by
    },
    /** p99 of the day, and the maximum. */
    told() {
      let left = DAY * 0.01
      let p99 = seconds.length - 1
      for (; p99 > 0; p99--) {
        left -= seconds[p99] ?? 0
        if (left <= 0) break
      }
      return { p99, max: seconds.length - 1 }
    },
  }
}

/** mulberry32: the same numbers for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A binary heap by time. */
function createHeap<Item extends { at: number }>() {
  const items: Item[] = []
  const swap = (a: number, b: number) => {
    ;[items[a], items[b]] = [items[b]!, items[a]!]
  }
  return {
    push(item: Item) {
      let index = items.push(item) - 1
      while (index > 0) {
        const parent = (index - 1) >> 1
        if (items[parent]!.at <= items[index]!.at) break
        swap(parent, index)
        index = parent
      }
    },
    pop(): Item | undefined {
      const top = items[0]
      const last = items.pop()
      if (items.length === 0) return top
      items[0] = last!
      for (let index = 0; ; ) {
        let least = index
        for (const child of [2 * index + 1, 2 * index + 2])
          if (child < items.length && items[child]!.at < items[least]!.at) least = child
        if (least === index) return top
        swap(index, least)
        index = least
      }
    },
  }
}
