import { suite as uvuSuite } from 'uvu'

// the real ones, whatever a test puts in their place
const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = globalThis

/** What a test is handed: `defer` runs in reverse order when the test ends, whatever its result. */
export interface Rig {
  defer(release: () => unknown): void
  /** Aborted when the test ends or runs out of time. */
  readonly signal: AbortSignal
}

export interface Options {
  /** ms for one test, its releases not counted. Ends a test that hangs; no test measures by it. */
  timeout?: number
}

/**
 * uvu's suite with three things it lacks: a time limit a test, releases in reverse order, and a leak check that fails the
 * test which left a socket, timer or child process behind.
 */
export function suite(name: string, { timeout = 120_000 }: Options = {}) {
  const inner = uvuSuite(name)
  let shares = false
  let hasFailed = false
  /** Of what the tests share: last opened, first released. */
  const ends: (() => unknown)[] = []
  const over = new AbortController()
  const endShares = () => {
    let before = new Map<string, number>()
    inner.before(async () => {
      before = resources()
    })
    inner.after(async () => {
      over.abort()
      for (const release of ends.reverse()) await release()
      // thrown here it would hide what failed, and a test that failed may leave things behind
      if (hasFailed) return
      const left = await leftovers(before)
      if (left.length > 0) throw new Error(`the file left behind: ${left.join(', ')}`)
    })
  }
  const guarded = (handler: (rig: Rig) => unknown, limit: number) => async () => {
    const before = resources()
    const ending = new AbortController()
    const releases: (() => unknown)[] = []
    const rig: Rig = { defer: (release) => releases.push(release), signal: ending.signal }
    let timer: NodeJS.Timeout | undefined
    const expired = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`took longer than ${limit} ms`)), limit)
    })
    const problems: unknown[] = []
    try {
      await Promise.race([handler(rig), expired])
    } catch (error) {
      problems.push(error)
    } finally {
      clearTimeout(timer)
      ending.abort()
    }
    // a release may wait for something that does not keep the loop alive by itself
    const awake = setInterval(() => {}, 1000)
    for (const release of releases.reverse()) {
      try {
        await release()
      } catch (error) {
        problems.push(error)
      }
    }
    clearInterval(awake)
    if (problems.length === 0 && !shares) {
      const left = await leftovers(before)
      if (left.length > 0) problems.push(new Error(`left behind: ${left.join(', ')}`))
    }
    if (problems.length === 0) return
    hasFailed = true
    throw printable(problems[0])
  }
  const test = (title: string, handler: (rig: Rig) => unknown, limit = timeout) =>
    inner(title, guarded(handler, limit))
  return Object.assign(test, {
    only: (title: string, handler: (rig: Rig) => unknown, limit = timeout) =>
      inner.only(title, guarded(handler, limit)),
    /** Counted, and named with its reason at the end of the run. */
    skip: (title: string, reason: string) => {
      console.log(`SKIPPED ${name}: ${title} (${reason})`)
      inner.skip(title)
    },
    /** Once for the file: what all its tests share, and its end. */
    before: (open: () => unknown) => inner.before(async () => void (await open())),
    after: (close: () => unknown) => inner.after(async () => void (await close())),
    /**
     * What the tests of a file share: opened before the first, released after the last. Leaks are then looked for at the end
     * of the file, because what is shared opens and closes connections meanwhile.
     */
    share<T>(open: (rig: Rig) => Promise<T>): () => T {
      if (!shares) endShares()
      shares = true
      let shared: T
      inner.before(async () => {
        shared = await open({ defer: (release) => ends.push(release), signal: over.signal })
      })
      return () => shared
    },
    run: () => inner.run(),
  })
}

/** ms between two probes, each of which takes time from what it waits for: at most a tenth of all, but no second is lost. */
const PROBE_PAUSE = { least: 5, most: 100, share: 9 }

/**
 * Resolves with the first result of `probe` that is not undefined. For states that announce nothing. `ms` is a bound that only
 * a fault breaks, on a machine that does much else too.
 */
export async function eventually<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  ms = 90_000,
): Promise<T> {
  const { least, most, share } = PROBE_PAUSE
  const end = performance.now() + ms
  for (;;) {
    const began = performance.now()
    const found = await probe()
    if (found !== undefined) return found
    const now = performance.now()
    if (now > end) throw new Error(`not seen within ${ms} ms: ${probe}`)
    const pause = Math.min(most, Math.max(least, share * (now - began)))
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

/** uvu prints `details` as text, and breaks the whole suite on an error whose details are facts. */
function printable(problem: unknown): unknown {
  if (!(problem instanceof Error) || !('details' in problem) || typeof problem.details === 'string')
    return problem
  const error = new Error(`${problem.message} ${JSON.stringify(problem.details)}`, { cause: problem })
  if (problem.stack) error.stack = problem.stack
  return error
}

function resources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) {
    // standard streams come and go with the first use of console; immediates and file requests end by themselves
    if (/^(TTYWrap|PipeWrap|Immediate|FSReqPromise|FSReqCallback|CloseReq|TickObject)$/.test(name)) continue
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

async function leftovers(before: Map<string, number>): Promise<string[]> {
  const end = performance.now() + 10_000
  for (;;) {
    const left = [...resources()].flatMap(([name, count]) => {
      const more = count - (before.get(name) ?? 0)
      return more > 0 ? [`${name} × ${more}`] : []
    })
    if (left.length === 0 || performance.now() > end) return left
    await new Promise((resolve) => setImmediate(resolve))
  }
}
