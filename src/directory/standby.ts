import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { isDatabaseAway, type Querier } from '../platform/postgres/index.ts'
import { delay, withTimeout } from '../platform/time.ts'
import type { Visitor } from './entry-rules.ts'
import {
  type BlockedRule,
  blockBy,
  decideEarly,
  type EarlyDecision,
  listBlocked,
  listPlans,
  type ResolvedPlan,
  readPlanOf,
  resolvePlan,
  type StoredPlans,
} from './rules.ts'
import {
  type AnswerRules,
  findUnit,
  findUnits,
  listUnits,
  readAnswerRules,
  type Unit,
} from './sql/directory.ts'
import { directoryRevision } from './sql/revision.ts'

/** ms between two readings of a tenant. */
const EVERY_MS = 60_000
/** Maximum number of units in memory, of all tenants: about 20 MB. */
const MOST_UNITS = 40_000
/** ms of a query after which the copy answers, unless it knows nothing. The visitor waits. */
const PATIENCE_MS = 2500

interface Copy {
  revision: string
  units: readonly Unit[]
  blocked: readonly BlockedRule[]
  plans: StoredPlans
  answering: AnswerRules
}

interface StandbyOptions {
  database: Querier
  /** The tenants whose visitors may come here. */
  tenants: () => readonly string[]
  /** Whether the database is away; a query would then only cost time. */
  isAway: () => boolean
  log: Logger
  /** ms; shorter in tests. */
  patienceMs?: number
}

/**
 * A copy of what a call asks of the directory, at most a minute old, for the time that the database is away or slow: units with their
 * residents, contact plans, and the block list. No window opens from a copy: somebody may have closed it. The database answers
 * while it can.
 */
export function createStandby({ database, tenants, isAway, log, patienceMs = PATIENCE_MS }: StandbyOptions) {
  const copies = new Map<string, Copy>()
  const omitted = new Set<string>()
  const ending = new AbortController()

  const read = async (tenantId: string): Promise<void> => {
    const before = copies.get(tenantId)
    // asked first: a change during the reading makes the next one read again
    const revision = await directoryRevision(database, tenantId)
    const [units, blocked, plans, answering] = await Promise.all([
      before?.revision === revision ? before.units : listUnits(database, tenantId),
      listBlocked(database, tenantId, null, 'every'),
      listPlans(database, tenantId),
      readAnswerRules(database, tenantId),
    ])
    const others = [...copies].reduce((sum, [id, copy]) => sum + (id === tenantId ? 0 : copy.units.length), 0)
    if (others + units.length > MOST_UNITS) {
      copies.delete(tenantId)
      if (!omitted.has(tenantId))
        log.warn(
          { tenant: tenantId, units: units.length, max: MOST_UNITS },
          'a directory is too large to be kept for the time that the database is away',
        )
      omitted.add(tenantId)
      return
    }
    copies.set(tenantId, { revision, units, blocked, plans, answering })
  }

  const refresh = async (): Promise<void> => {
    const wanted = new Set(tenants())
    for (const tenantId of copies.keys()) if (!wanted.has(tenantId)) copies.delete(tenantId)
    for (const tenantId of wanted) {
      if (ending.signal.aborted) return
      await read(tenantId).catch((error) =>
        // the copy of before stays
        log.debug({ tenant: tenantId, reason: reasonOf(error) }, 'a directory could not be read for standby'),
      )
    }
  }

  const work = async () => {
    while (!ending.signal.aborted) {
      await refresh()
      await delay(EVERY_MS, ending.signal)
    }
  }
  const working = work()

  /**
   * The answer of the database, or of the copy if the database is away or slow. `isEmpty`: an answer of the copy that may only be old;
   * a slow database is waited for then.
   */
  const ask = async <T>(
    tenantId: string,
    query: () => Promise<T>,
    from: (copy: Copy) => T,
    isEmpty: (answer: T) => boolean = () => false,
  ): Promise<T> => {
    const copy = copies.get(tenantId)
    if (!copy) return query()
    const answer = from(copy)
    const useCopy = (reason: string) => {
      log.warn({ tenant: tenantId, reason }, 'the directory of the last minute is used')
      return answer
    }
    if (isAway()) return useCopy('the database is away')
    const asked = query()
    try {
      const wait = asked.then((found) => ({ found }))
      const done = await (isEmpty(answer) ? wait : withTimeout(patienceMs, wait))
      if (done) return done.found
      asked.catch(() => {})
      return useCopy(`no answer in ${patienceMs} ms`)
    } catch (error) {
      if (!isDatabaseAway(error)) throw error
      return useCopy(reasonOf(error))
    }
  }

  return {
    findUnits: (tenantId: string, number: string): Promise<Unit[]> =>
      ask(
        tenantId,
        () => findUnits(database, tenantId, number),
        ({ units }) => withNumber(units, number),
        (found) => found.length === 0,
      ),

    findUnit: (tenantId: string, id: string): Promise<Unit | undefined> =>
      ask(
        tenantId,
        () => findUnit(database, tenantId, id),
        ({ units }) => units.find((unit) => unit.id === id),
        (found) => found === undefined,
      ),

    decideEarly: (tenantId: string, unitId: string, visitor: Visitor, now: Date): Promise<EarlyDecision> =>
      ask(
        tenantId,
        () => decideEarly(database, tenantId, unitId, visitor, now),
        ({ blocked }) =>
          blockBy(
            blocked.filter(({ unit }) => unit === undefined || unit === unitId),
            visitor,
            now,
          ) ?? { decision: 'contact' },
      ),

    /** Without a unit: the tenant's. */
    resolvePlan: (tenantId: string, unitId: string | null): Promise<ResolvedPlan> =>
      ask(
        tenantId,
        () => resolvePlan(database, tenantId, unitId),
        ({ plans }) =>
          readPlanOf({ tenant: plans.tenant, unit: (unitId !== null && plans.units.get(unitId)) || null }),
      ),

    readAnswerRules: (tenantId: string): Promise<AnswerRules> =>
      ask(
        tenantId,
        () => readAnswerRules(database, tenantId),
        ({ answering }) => answering,
      ),

    /** Reads all again now. Never rejects. */
    refresh,
    /** Tenants with a copy. */
    has: (tenantId: string) => copies.has(tenantId),
    async close() {
      ending.abort()
      await working
    },
  }
}

/** As findUnits: leading zeros and letters' case do not matter, and of several numbers the one that was keyed comes first. */
function withNumber(units: readonly Unit[], number: string): Unit[] {
  const bare = (text: string) => text.toUpperCase().replace(/^0+/, '')
  const fit = units.filter((unit) => bare(unit.number) === bare(number))
  const best =
    fit.find((unit) => unit.number === number) ??
    fit.toSorted((a, b) => a.number.length - b.number.length || (a.number < b.number ? -1 : 1))[0]
  return fit.filter((unit) => unit.number === best!.number)
}
