import { createHash } from 'node:crypto'
import { brokerMachine, deliveryMachine, MACHINES, serviceMachine } from '../../machines/index.ts'
import { definitionOf } from './definition.ts'

/** Machines that are not part of a call. */
const OTHERS: readonly unknown[] = [brokerMachine, deliveryMachine, serviceMachine]
/** Version of the contexts: increment it when a context changes, because no chart shows that. */
const CONTEXTS = 2

/** Changes with every chart of a call: a snapshot of other machines may contain unknown states. */
export function machinesVersion(): string {
  const charts = MACHINES.filter((machine) => !OTHERS.includes(machine)).map(definitionOf)
  return createHash('sha256')
    .update(JSON.stringify([CONTEXTS, charts]))
    .digest('hex')
    .slice(0, 16)
}
