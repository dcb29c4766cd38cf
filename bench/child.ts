import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

/** What a measured process answers to, by name. */
export type Answers = Record<string, (argument: never) => unknown>

interface Question {
  id: number
  name: string
  argument: unknown
}

type Reply = { id: number; result: unknown } | { id: number; error: string }

/** A process of its own, so that its CPU is nobody else's. */
export interface Child {
  ask<Result>(name: string, argument?: unknown): Promise<Result>
  /** Lets it end by itself: what it has open is its own to close. */
  close(): Promise<void>
}

export interface ChildOptions {
  args?: string[]
  /** Flags for its Node, such as `--expose-gc`. */
  flags?: string[]
}

/** Starts `file` of this folder; it must call `answer`. Rejects what is asked of a process that has ended. */
export function startChild(file: string, { args = [], flags = [] }: ChildOptions = {}): Child {
  const child: ChildProcess = fork(join(import.meta.dirname, file), args, { execArgv: flags })
  const waiting = new Map<number, PromiseWithResolvers<never>>()
  let asked = 0
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      const error = new Error(`${file} ended with ${code}`)
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
      resolve()
    })
  })
  child.on('message', (reply: Reply) => {
    const one = waiting.get(reply.id)
    waiting.delete(reply.id)
    if ('error' in reply) one?.reject(new Error(`${file}: ${reply.error}`))
    else one?.resolve(reply.result as never)
  })
  return {
    ask(name, argument) {
      const reply = Promise.withResolvers<never>()
      const question: Question = { id: asked++, name, argument }
      waiting.set(question.id, reply)
      if (child.connected) child.send(question)
      else reply.reject(new Error(`${file} has ended`))
      return reply.promise
    },
    async close() {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}

/** Inside the process: answers until the one who asks is gone, then `close`. */
export function answer(answers: Answers, close: () => unknown = () => {}): void {
  process.on('message', async ({ id, name, argument }: Question) => {
    let reply: Reply
    try {
      reply = { id, result: await answers[name]!(argument as never) }
    } catch (error) {
      reply = { id, error: error instanceof Error ? String(error.stack) : String(error) }
    }
    process.send?.(reply)
  })
  process.once('disconnect', close)
}

/** What a process used since the last time it was asked. */
export interface Used {
  /** µs in user and system */
  cpu: number
  /** µs in system alone */
  system: number
  /** How often its event loop went round. */
  turns: number
}

export function createMeter(): () => Used {
  const read = () => ({ ...process.cpuUsage(), turns: performance.nodeTiming.uvMetricsInfo.loopCount })
  let last = read()
  return () => {
    const before = last
    last = read()
    const system = last.system - before.system
    return { cpu: last.user - before.user + system, system, turns: last.turns - before.turns }
  }
}
