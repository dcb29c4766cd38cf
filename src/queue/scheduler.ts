import type { Job } from './queue.ts'

/** One job's work, on behalf of a group of a tenant. */
export interface Task {
  /** What has no tenant is one of its own, with one group. */
  readonly tenant: string
  readonly group: string
  readonly priority: number
  /** Never rejects. */
  run(): Promise<TaskEnd>
  /** The task will not run after all: returns its job. */
  drop(): Job
}

/** How a run of a task ended. */
export interface TaskEnd {
  /** How long the whole group must wait, in ms; then the task runs again. */
  waitMs?: number
  /** The task is done, and its job is acknowledged when this resolves. Never rejects. */
  completed?: Promise<void>
}

interface SchedulerOptions {
  /** Tasks running at once. */
  total: number
  /** Of one group. */
  perGroup: number
  /** A task ended, its job was acknowledged, or a group's pause is over: there may be room for more. */
  onFree: () => void
  /** Gets tasks that ask to wait after `close`. */
  onReturned: (task: Task) => void
  /** ms. */
  now?: () => number
}

interface Group {
  waiting: Task[]
  running: number
  pause: NodeJS.Timeout | undefined
}

interface Tenant {
  /** In the order of their turns: one that had its turn moves to the end. */
  readonly groups: Map<string, Group>
  waiting: number
  running: number
}

/** Running tasks that a tenant may have, however many tenants there are; a group of it has half of them. */
const MIN_SHARE = 2
/**
 * ms for starting tasks in one turn of the loop: a hundred requests at once would hold up a gate command, and the sound's control. So many
 * tasks are started between two looks at the clock.
 */
const TURN_MS = 1
const STARTS = 8
/** Part of the places that is kept free for a tenant, or a tenant's group, that is not here yet. */
const RESERVE = 1 / 4

export type Scheduler = ReturnType<typeof createScheduler>

/**
 * Fair scheduler: decides which task runs next. Tenants take turns, and so do the groups of each. No tenant has more than its
 * share running, and no group more than its share of that; the more there are, the smaller the shares. A receiver that hangs delays
 * only itself, and a tenant whose hundred receivers hang, or one with a hundred thousand tasks, only that tenant.
 */
export function createScheduler({
  total,
  perGroup,
  onFree,
  onReturned,
  now = () => performance.now(),
}: SchedulerOptions) {
  // in the order of their turns
  const tenants = new Map<string, Tenant>()
  let running = 0
  let waiting = 0
  /** Tasks that are done and whose jobs are not acknowledged yet. */
  let completing = 0
  /** The next turn of the loop starts more. */
  let pending: NodeJS.Immediate | undefined
  let closed = false

  const tenantShare = () => shareOf(total, tenants.size, MIN_SHARE)

  const groupShare = (name: string, { groups }: Tenant, places = tenantShare()) => {
    // the name of a tenant that cannot have other groups
    if (groups.has(name)) return Math.min(perGroup, places)
    return Math.min(perGroup, shareOf(places, groups.size, Math.min(MIN_SHARE, places / 2)))
  }

  const dispatch = () => {
    if (pending || waiting === 0) return
    const share = tenantShare()
    const began = now()
    let starts = 0
    // a tenant that had its turn is at the end now, and comes again
    for (const [name, tenant] of tenants) {
      if (running >= total || waiting === 0) return
      if (tenant.waiting === 0 || tenant.running >= share) continue
      const task = nextOf(tenant, groupShare(name, tenant, share))
      if (!task) continue
      tenants.delete(name)
      tenants.set(name, tenant)
      start(task, tenant)
      if (++starts % STARTS === 0 && now() - began >= TURN_MS) return dispatchLater()
    }
  }

  /** All that ends in one turn of the loop makes room at once. */
  const dispatchLater = () => {
    pending ??= setImmediate(() => {
      pending = undefined
      dispatch()
      onFree()
    })
  }

  /** Takes the task whose turn it is. */
  const nextOf = (tenant: Tenant, most: number): Task | undefined => {
    for (const [key, group] of tenant.groups) {
      if (group.pause || group.running >= most) continue
      const task = group.waiting.shift()
      if (!task) continue
      waiting--
      tenant.waiting--
      tenant.groups.delete(key)
      tenant.groups.set(key, group)
      return task
    }
    return undefined
  }

  const start = async (task: Task, tenant: Tenant) => {
    const group = tenant.groups.get(task.group)!
    running++
    tenant.running++
    group.running++
    const { waitMs, completed } = await task.run()
    running--
    tenant.running--
    group.running--
    if (completed) {
      completing++
      void completed.then(() => {
        completing--
        dispatchLater()
      })
    }
    if (waitMs !== undefined && closed) onReturned(task)
    else if (waitMs !== undefined) {
      group.waiting.unshift(task)
      tenant.waiting++
      waiting++
      group.pause ??= setTimeout(() => {
        group.pause = undefined
        dispatch()
        forget(task)
        onFree()
      }, waitMs)
    }
    forget(task)
    dispatchLater()
  }

  /** Who has no tasks here counts no more. */
  const forget = ({ tenant: name, group: key }: Pick<Task, 'tenant' | 'group'>) => {
    const tenant = tenants.get(name)
    const group = tenant?.groups.get(key)
    if (!tenant || !group || group.running > 0 || group.waiting.length > 0 || group.pause) return
    tenant.groups.delete(key)
    if (tenant.groups.size === 0) tenants.delete(name)
  }

  const add = (task: Task) => {
    let tenant = tenants.get(task.tenant)
    if (!tenant) {
      tenant = { groups: new Map(), waiting: 0, running: 0 }
      tenants.set(task.tenant, tenant)
    }
    let group = tenant.groups.get(task.group)
    if (!group) {
      group = { waiting: [], running: 0, pause: undefined }
      tenant.groups.set(task.group, group)
    }
    const before = group.waiting.findIndex(({ priority }) => priority < task.priority)
    group.waiting.splice(before === -1 ? group.waiting.length : before, 0, task)
    tenant.waiting++
    waiting++
  }

  /** Names of the groups that have as many tasks here, waiting or running, as `enough` says. */
  const groupsWith = (enough: (name: string, tenant: Tenant) => number): string[] =>
    [...tenants].flatMap(([name, tenant]) => {
      const count = enough(name, tenant)
      return [...tenant.groups].flatMap(([key, group]) =>
        group.running + group.waiting.length >= count ? [key] : [],
      )
    })

  return {
    add(tasks: readonly Task[]) {
      for (const task of tasks) add(task)
      dispatch()
    },
    /** Groups with at least `count` tasks here, waiting or running. */
    groupsOf: (count: number) => groupsWith(() => count),
    /** Groups with at least their share of tasks here. */
    busyGroups: () => groupsWith(groupShare),
    counts: () => ({ running, waiting, completing }),
    /**
     * Removes tasks of the tenant with the most waiting ones: of its group with the most those beyond a share; where no group has
     * more, but the tenant has, all that wait in it.
     */
    shed(): Task[] {
      const [name, tenant] = largest(tenants, (one) => one.waiting)
      if (!name || !tenant) return []
      const [key, group] = largest(tenant.groups, (one) => one.waiting.length)
      const share = groupShare(name, tenant)
      const keep = group!.waiting.length > share ? share : tenant.waiting > tenantShare() ? 0 : Infinity
      const surplus = group!.waiting.splice(keep)
      tenant.waiting -= surplus.length
      waiting -= surplus.length
      forget({ tenant: name, group: key! })
      return surplus
    },
    /** Removes all waiting tasks and starts no more. */
    close(): Task[] {
      closed = true
      clearImmediate(pending)
      return [...tenants.values()].flatMap((tenant) => {
        waiting -= tenant.waiting
        tenant.waiting = 0
        return [...tenant.groups.values()].flatMap((group) => {
          clearTimeout(group.pause)
          group.pause = undefined
          return group.waiting.splice(0)
        })
      })
    },
  }
}

/** What each of so many may have of the places, a reserve aside. */
function shareOf(places: number, sharers: number, least: number): number {
  return Math.max(1, Math.floor(least), Math.floor((places * (1 - RESERVE)) / Math.max(1, sharers)))
}

function largest<T>(all: ReadonlyMap<string, T>, size: (one: T) => number): [string, T] | [] {
  let most: [string, T] | [] = []
  for (const [name, one] of all) if (most[1] === undefined || size(one) > size(most[1])) most = [name, one]
  return most
}
