/**
 * Opens the parts of a process in the order of the data flow and closes them in reverse: voice, web, worker, dialer and
 * shared parts. Parts are wired here and nowhere else.
 * Never: business rules. A sentence about calls or messages belongs to its room.
 */
export { reachable } from './click-to-call.ts'
export { dialerLacks, type RunningDialer, startDialer } from './dialer.ts'
export { provideBroker } from './provide.ts'
export { lostSecrets, SECRET_COLUMNS } from './secrets.ts'
export {
  type RunningRoles,
  type RunningService,
  SERVICE_ROLES,
  type ServiceRole,
  startRoles,
  startService,
} from './service.ts'
