import { type AnyActorRef, type AnyStateMachine, fromPromise, type InspectionEvent } from 'xstate'
import type { Clock } from '../../machines/index.ts'
import { type Driver, explorer } from './model.ts'
import { run, substitute } from './world.ts'

// the real one, whatever a test puts in its place
const { setImmediate } = globalThis

export interface StageOptions {
  /** Plays on this one instead of the path's own machine. */
  machine?: AnyStateMachine
  /** Sees all actors, such as that of `coverage`. */
  inspect?: ((event: InspectionEvent) => void) | undefined
}

/**
 * Plays paths on a real actor: ports are promises that resolve or reject when the path says so, and time is the path's. Everything
 * is compared: state, context, the ports in use with their input, the machines below, and what the parent is told.
 *
 *     await path.play(stage())
 *     await path.play(stage({ machine: myVariant }))
 */
export function stage({ machine: other, inspect }: StageOptions = {}): Driver {
  return {
    async begin({ machine, children, input }) {
      const answers = new Map<AnyActorRef, PromiseWithResolvers<unknown>>()
      const staged = substitute(other ?? machine, explorer(children), () =>
        fromPromise(({ self }) => {
          const answer = Promise.withResolvers<unknown>()
          answers.set(self, answer)
          return answer.promise
        }),
      )
      let time = 0
      const clock: Clock = { now: () => time, setTimeout: () => undefined, clearTimeout: () => {} }
      const running = run(staged, { input }, clock, inspect)
      await settled()
      return {
        look: running.look,
        async take({ at, event, outcome, time: then }) {
          time = then
          const actor = running.at(at)
          if (!actor) throw new Error(`there is no ${at.join('/')}`)
          if (event) actor.send(event)
          else if (outcome && 'error' in outcome) answers.get(actor)!.reject(outcome.error)
          else answers.get(actor)!.resolve(outcome?.output)
          await settled()
        },
        stop: running.stop,
      }
    },
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
