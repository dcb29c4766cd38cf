import type { AnyStateMachine } from 'xstate'
import { type Coverage, coverage } from './coverage.ts'
import { type Model, type ModelOptions, model } from './model.ts'
import { stage } from './stage-driver.ts'

/** What the generated paths of a machine did to real actors. */
export interface Played {
  readonly seen: Coverage<AnyStateMachine>
  readonly model: Model<AnyStateMachine>
  /** How many were played. */
  readonly paths: number
}

/**
 * Plays the paths of a machine on real actors until everything was seen that can be: each transition, each event that is ignored,
 * and where sides of guards are still missing, these. Rejects with a PathError.
 */
export async function playAll(
  machine: AnyStateMachine,
  options: ModelOptions<AnyStateMachine> = {},
): Promise<Played> {
  const explored = model(machine, undefined, options)
  const seen = coverage(machine)
  const driver = stage({ inspect: seen.inspect })
  let paths = 0
  for (const each of ['transition', 'ignored', 'guard'] as const) {
    if (each === 'guard' && seen.report().guards.missed.length === 0) break
    for (const path of explored.paths({ each })) {
      await path.play(driver)
      paths++
    }
  }
  return { seen, model: explored, paths }
}
