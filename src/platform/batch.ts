interface BatchOptions<Item, Result> {
  /** All or nothing; results in the order of the items. */
  run: (items: readonly Item[]) => Promise<readonly Result[]>
  /** Maximum number of items in one run. */
  max: number
  /** Runs at once; default 1. More shorten the wait where runs do not disturb each other. */
  parallel?: number
  /** Weight of an item, and the maximum of a run; a single item is always allowed. */
  weight?: { of: (item: Item) => number; max: number }
  /** Whether to retry a failed batch item by item, so that one bad item does not fail the others. */
  splitsAfter: (error: unknown) => boolean
}

export interface Batcher<Item, Result> {
  add(item: Item): Promise<Result>
  /** Number of items that wait or are being written. */
  size(): number
  /** Number of items that wait for the next run. */
  waiting(): number
  /** Resolves when nothing waits and nothing is being written. */
  settled(): Promise<void>
}

/**
 * Combines concurrent items: while as many runs as may be are in progress, items for the next one are collected. A transaction for
 * twenty items costs little more than one for a single item.
 */
export function createBatcher<Item, Result>({
  run,
  max,
  parallel = 1,
  weight,
  splitsAfter,
}: BatchOptions<Item, Result>): Batcher<Item, Result> {
  type Entry = { item: Item } & Pick<PromiseWithResolvers<Result>, 'resolve' | 'reject'>
  const waiting: Entry[] = []
  let inFlight = 0
  // counted in the same turn in which one finds nothing more
  let drains = 0
  const running = new Set<Promise<void>>()

  const write = async (entries: readonly Entry[]): Promise<void> => {
    try {
      const results = await run(entries.map(({ item }) => item))
      for (const [at, { resolve }] of entries.entries()) resolve(results[at]!)
    } catch (error) {
      if (entries.length > 1 && splitsAfter(error)) {
        for (const entry of entries) await write([entry])
      } else for (const { reject } of entries) reject(error)
    }
  }

  const countOfRun = () => {
    if (!weight) return max
    let sum = 0
    for (const [at, { item }] of waiting.entries()) {
      sum += weight.of(item)
      if (at === max || (sum > weight.max && at > 0)) return at
    }
    return max
  }

  const drain = async () => {
    // items that are added in this turn of the loop share the run
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const entries = waiting.splice(0, countOfRun())
      inFlight += entries.length
      await write(entries)
      inFlight -= entries.length
    }
    drains--
  }

  const start = () => {
    if (drains === parallel) return
    drains++
    const run = drain().finally(() => running.delete(run))
    running.add(run)
  }

  return {
    add(item) {
      const { promise, resolve, reject } = Promise.withResolvers<Result>()
      waiting.push({ item, resolve, reject })
      start()
      return promise
    },
    size: () => waiting.length + inFlight,
    waiting: () => waiting.length,
    async settled() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
