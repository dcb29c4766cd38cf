/**
 * Watches live actors: attaches to them for the first viewer and detaches after the last. Masks what people said.
 * Never: costing a call anything while nobody watches.
 */
export { feedMessage, machineOf } from './feed.ts'
export {
  createInspection,
  createRoster,
  INSPECTED_KINDS,
  type Inspected,
  type Inspection,
  type Source,
} from './inspection.ts'
export { MASKED, shown } from './mask.ts'
export { statelyMessage } from './stately.ts'
