/**
 * What a process opens, in the order in which data flows, and closes in reverse: voice, web, worker, dialer and what they share.
 * Parts are wired here and nowhere else.
 * Never: business rules. A sentence about calls or messages belongs to its room.
 */
export { reachable } from './click-to-call.ts'
export { dialerLacks, type RunningDialer, startDialer } from './dialer.ts'
export { provideBroker } from './provide.ts'
export {
  type RunningRoles,
  type RunningService,
  SERVICE_ROLES,
  type ServiceOptions,
  type ServiceRole,
  startRoles,
  startService,
} from './service.ts'
