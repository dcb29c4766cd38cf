import type { AnyStateMachine, Snapshot } from 'xstate'
import { stateName } from '../../machines/index.ts'
import type { Fixture } from './fixture.ts'
import { type ModelOptions, model } from './model.ts'

export interface UpgradeOptions<Machine extends AnyStateMachine> {
  /** Persisted snapshots of the older machine, such as those of its model. */
  from: readonly Snapshot<unknown>[]
  /** The machine that goes on with them. */
  to: Machine
  /** What is changed in a snapshot before; default: nothing. */
  migrate?: (snapshot: Snapshot<unknown>) => Snapshot<unknown>
  fixture?: Fixture<Machine>
  children?: ModelOptions<Machine>['children']
}

export interface Upgrade {
  /** How many snapshots the machine can go on with. */
  readonly restored: number
  /** The others: the state, and what is wrong. */
  readonly problems: readonly { readonly state: string; readonly problem: string }[]
}

/**
 * Whether a machine can go on where an older one was stopped: each snapshot is migrated and restored, each step that is possible then
 * is taken, and a machine that is not done must have one.
 *
 *     const { problems } = upgrade({ from: model(oldMachine).snapshots(), to: newMachine })
 *     assert.deepEqual(problems, [])
 */
export function upgrade<Machine extends AnyStateMachine>({
  from,
  to,
  migrate = (snapshot) => snapshot,
  fixture,
  children = false,
}: UpgradeOptions<Machine>): Upgrade {
  const { goesOn } = model(to, fixture, { children, limit: 1 })
  const problems = from.flatMap((snapshot) => {
    const problem = problemOf(snapshot)
    const { value } = snapshot as { value?: unknown }
    return problem === undefined ? [] : [{ state: stateName(value), problem }]
  })
  return { restored: from.length - problems.length, problems }

  function problemOf(snapshot: Snapshot<unknown>): string | undefined {
    try {
      return goesOn(migrate(snapshot)) ? undefined : 'nothing can happen any more'
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
}
