/**
 * The HTTP server: authentication, tenancy, schemas, routes (one file per noun), events, the inspector's and the page
 * telephone's sockets. Owns the SQL of api_keys and sessions.
 * Never: business rules. A route checks the caller, calls a room and responds.
 */
export { openHealth } from './health.ts'
export { inspectorRoutes } from './inspector/routes.ts'
export { callSource } from './inspector/sources.ts'
export { createViews, type Views } from './inspector/views.ts'
export { phoneRoute } from './phone/route.ts'
export { replyError } from './replies.ts'
export { inboundRoutes } from './routes/inbound.ts'
export { pageRoutes } from './routes/page.ts'
export { vendorRoutes } from './routes/vendor.ts'
export { openHttp } from './server.ts'
export {
  countKeys,
  createFirstKey,
  createKey,
  findKey,
  hashKey,
  type KeyRow,
  listKeys,
  revokeKey,
  type Scope,
  touchKey,
} from './sql/keys.ts'
