import { withTimeout } from '../platform/time.ts'
import { createDirectoryIndex, type DirectoryIndex, type IndexedUnit } from './directory-index.ts'
import { type Match, matchUnit, type WantedUnit } from './match.ts'

/** ms for the directory to say that it has not changed; after that the older index serves. The visitor waits. */
const REVISION_MS = 2500

interface MatcherOptions<U extends IndexedUnit> {
  load: (tenantId: string) => Promise<readonly U[]>
  /** Differs after every change of the tenant's directory, whichever process made it (src/directory/sql/revision.ts). */
  revision: (tenantId: string) => Promise<string>
  /** Told when an older index had to serve because the directory did not answer. */
  onStale?: (tenantId: string, error: unknown) => void
}

interface Matcher<U extends IndexedUnit> {
  /** Rejects only where the directory was never read. */
  match(tenantId: string, wanted: WantedUnit): Promise<Match<U>>
  /** Frees a tenant's index. */
  forget(tenantId: string): void
}

interface Prepared<U extends IndexedUnit> {
  revision: string
  index: DirectoryIndex<U>
}

/** Keeps an index a tenant, built on the first question and again after a change; calls at once share one build. */
export function createMatcher<U extends IndexedUnit>({
  load,
  revision,
  onStale,
}: MatcherOptions<U>): Matcher<U> {
  const prepared = new Map<string, Prepared<U>>()
  const building = new Map<string, Promise<DirectoryIndex<U>>>()

  const build = async (tenantId: string): Promise<DirectoryIndex<U>> => {
    const known = prepared.get(tenantId)
    try {
      // asked first: a change during the load makes the next question load again
      const current = known ? await withTimeout(REVISION_MS, revision(tenantId)) : await revision(tenantId)
      if (current === undefined) throw new Error(`no answer in ${REVISION_MS} ms`)
      if (known?.revision === current) return known.index
      const index = createDirectoryIndex(await load(tenantId))
      prepared.set(tenantId, { revision: current, index })
      return index
    } catch (error) {
      if (!known) throw error
      // a gate goes on with the directory of a minute ago
      onStale?.(tenantId, error)
      return known.index
    }
  }

  const indexOf = (tenantId: string): Promise<DirectoryIndex<U>> => {
    const running = building.get(tenantId)
    if (running) return running
    const started = build(tenantId).finally(() => building.delete(tenantId))
    building.set(tenantId, started)
    return started
  }

  return {
    match: async (tenantId, wanted) => matchUnit(await indexOf(tenantId), wanted),
    forget: (tenantId) => prepared.delete(tenantId),
  }
}
