import type { Job } from './queue.ts'

/** Something to do for a group. */
export interface Task {
  readonly group: string
  readonly priority: number
  /** Never rejects. Resolves with ms for which the whole group must wait before the task is tried again; undefined: it is done. */
  run(): Promise<number | undefined>
  /** It will not be run after all: gives its job back. */
  drop(): Job
}

interface SharesOptions {
  /** Tasks under way at once. */
  total: number
  /** Of one group. */
  perGroup: number
  /** Something ended or may go on: there may be room for more. */
  onFree: () => void
  /** A task that was under way when all else was taken wants to wait: it is not kept any more. */
  onLeft: (task: Task) => void
}

interface Group {
  held: Task[]
  running: number
  pause: NodeJS.Timeout | undefined
}

/** Tasks of a group that may be under way however many groups there are. */
const LEAST = 2

/**
 * Who may go next. Groups take turns and none has more than its share under way, the less the more groups there are, so
 * that a group that hangs, or one with a hundred thousand tasks, holds up nobody but itself.
 */
export function createShares({ total, perGroup, onFree, onLeft }: SharesOptions) {
  // in the order of their turns: who had one goes to the end
  const groups = new Map<string, Group>()
  let running = 0
  let held = 0
  let ended = false

  // one share is left for whoever comes next
  const share = () => Math.min(perGroup, Math.max(LEAST, Math.floor(total / (groups.size + 1))))

  const pump = () => {
    const most = share()
    let started = true
    while (started && running < total && held > 0) {
      started = false
      for (const [name, group] of groups) {
        if (running >= total) break
        if (group.pause || group.running >= most) continue
        const task = group.held.shift()
        if (!task) continue
        held--
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
    const pauseMs = await task.run()
    running--
    group.running--
    if (pauseMs !== undefined && ended) onLeft(task)
    else if (pauseMs !== undefined) {
      group.held.unshift(task)
      held++
      group.pause ??= setTimeout(() => {
        group.pause = undefined
        pump()
        onFree()
      }, pauseMs)
    }
    pump()
    if (group.running === 0 && group.held.length === 0 && !group.pause) groups.delete(task.group)
    onFree()
  }

  return {
    add(tasks: readonly Task[]) {
      for (const task of tasks) {
        let group = groups.get(task.group)
        if (!group) {
          group = { held: [], running: 0, pause: undefined }
          groups.set(task.group, group)
        }
        const before = group.held.findIndex(({ priority }) => priority < task.priority)
        group.held.splice(before === -1 ? group.held.length : before, 0, task)
        held++
      }
      pump()
    },
    /** Groups with at least so many tasks here, held or under way. */
    groupsOf(count: number): string[] {
      return [...groups].flatMap(([name, group]) =>
        group.running + group.held.length >= count ? [name] : [],
      )
    },
    counts: () => ({ running, held }),
    share,
    /** Takes what the group that holds the most holds beyond a share. */
    shed(): Task[] {
      let most: Group | undefined
      for (const group of groups.values()) if (group.held.length > (most?.held.length ?? 0)) most = group
      const surplus = most?.held.splice(share()) ?? []
      held -= surplus.length
      return surplus
    },
    /** Takes everything that is held, for good: nothing is begun any more. */
    empty(): Task[] {
      ended = true
      return [...groups.values()].flatMap((group) => {
        clearTimeout(group.pause)
        group.pause = undefined
        held -= group.held.length
        return group.held.splice(0)
      })
    },
  }
}
