import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { brokerMachine, deliveryMachine, MACHINES, serviceMachine } from '../../machines/index.ts'
import { CONTEXT_SHAPES } from './context-shapes.ts'
import { skeletonOf } from './snapshot-shape.ts'

/** Machines that are not part of a call. */
const OTHERS: readonly unknown[] = [brokerMachine, deliveryMachine, serviceMachine]

/**
 * The key of a call's snapshots: of the states of its machines and the children that they invoke, of the shape of their contexts, and of
 * XState's major and minor version. Descriptions, transitions and actions do not change it.
 */
export function machinesVersion(shapes: Record<string, readonly string[]> = CONTEXT_SHAPES): string {
  const skeletons = MACHINES.filter((machine) => !OTHERS.includes(machine)).map(skeletonOf)
  const { version } = createRequire(import.meta.url)('xstate/package.json') as { version: string }
  return createHash('sha256')
    .update(JSON.stringify([version.split('.').slice(0, 2), skeletons, shapes]))
    .digest('hex')
    .slice(0, 16)
}
