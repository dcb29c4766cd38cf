/**
 * Watching live actors: attaches to them when the first viewer comes and lets go with the last. Masks what people said.
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
