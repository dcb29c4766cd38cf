import type { Job } from './queue.ts'

/** One job's work, on behalf of a group. */
export interface Task {
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
}

interface Group {
  waiting: Task[]
  running: number
  pause: NodeJS.Timeout | undefined
}

/** Running tasks that a group may have, however many groups there are. */
const MIN_SHARE = 2

export type Scheduler = ReturnType<typeof createScheduler>

/**
 * Fair scheduler: decides which task runs next. Groups take turns, and none has more than its share running; the more groups,
 * the smaller the share. A group that hangs, or one with a hundred thousand tasks, delays only itself.
 */
export function createScheduler({ total, perGroup, onFree, onReturned }: SchedulerOptions) {
  // in the order of their turns: a group that had one moves to the end
  const groups = new Map<string, Group>()
  let running = 0
  let waiting = 0
  /** Tasks that are done and whose jobs are not acknowledged yet. */
  let completing = 0
  let closed = false

  // one share is kept free for a group that is not here yet
  const share = () => Math.min(perGroup, Math.max(MIN_SHARE, Math.floor(total / (groups.size + 1))))

  const dispatch = () => {
    const most = share()
    let started = true
    while (started && running < total && waiting > 0) {
      started = false
      for (const [name, group] of groups) {
        if (running >= total) break
        if (group.pause || group.running >= most) continue
        const task = group.waiting.shift()
        if (!task) continue
        waiting--
        groups.delete(name)
        groups.set(name, group)
        start(task, group)
        started = true
      }
    }
  }

  const start = async (task: Task, group: Group) => {
    running++
    group.running++
    const { waitMs, completed } = await task.run()
    running--
    group.running--
    if (completed) {
      completing++
      void completed.then(() => {
        completing--
        onFree()
      })
    }
    if (waitMs !== undefined && closed) onReturned(task)
    else if (waitMs !== undefined) {
      group.waiting.unshift(task)
      waiting++
      group.pause ??= setTimeout(() => {
        group.pause = undefined
        dispatch()
        onFree()
      }, waitMs)
    }
    dispatch()
    if (group.running === 0 && group.waiting.length === 0 && !group.pause) groups.delete(task.group)
    onFree()
  }

  return {
    add(tasks: readonly Task[]) {
      for (const task of tasks) {
        let group = groups.get(task.group)
        if (!group) {
          group = { waiting: [], running: 0, pause: undefined }
          groups.set(task.group, group)
        }
        const before = group.waiting.findIndex(({ priority }) => priority < task.priority)
        group.waiting.splice(before === -1 ? group.waiting.length : before, 0, task)
        waiting++
      }
      dispatch()
    },
    /** Groups with at least `count` tasks here, waiting or running. */
    groupsOf(count: number): string[] {
      return [...groups].flatMap(([name, group]) =>
        group.running + group.waiting.length >= count ? [name] : [],
      )
    },
    counts: () => ({ running, waiting, completing }),
    share,
    /** Removes from the group with the most waiting tasks those beyond a share. */
    shed(): Task[] {
      let most: Group | undefined
      for (const group of groups.values())
        if (group.waiting.length > (most?.waiting.length ?? 0)) most = group
      const surplus = most?.waiting.splice(share()) ?? []
      waiting -= surplus.length
      return surplus
    },
    /** Removes all waiting tasks and starts no more. */
    close(): Task[] {
      closed = true
      return [...groups.values()].flatMap((group) => {
        clearTimeout(group.pause)
        group.pause = undefined
        waiting -= group.waiting.length
        return group.waiting.splice(0)
      })
    },
  }
}
