import { createHash } from 'node:crypto'
import { brokerMachine, deliveryMachine, MACHINES, serviceMachine } from '../../machines/index.ts'
import { definitionOf } from './definition.ts'

/** No part of a call. */
const OTHERS: readonly unknown[] = [brokerMachine, deliveryMachine, serviceMachine]
/** Of the contexts: raised by whoever changes one, because no chart shows it. */
const CONTEXTS = 1

/** Another one wherever a chart of a call is another one: a snapshot of other machines may name states that there are not. */
export function machinesVersion(): string {
  const charts = MACHINES.filter((machine) => !OTHERS.includes(machine)).map(definitionOf)
  return createHash('sha256')
    .update(JSON.stringify([CONTEXTS, charts]))
    .digest('hex')
    .slice(0, 16)
}
