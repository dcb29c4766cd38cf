import type { FastifyInstance } from 'fastify'
import { type AbilityRoutesOptions, abilityRoutes } from './ability-routes.ts'
import { accountRoutes } from './account-routes.ts'
import { type CallRoutesOptions, callRoutes } from './call-routes.ts'
import { directoryRoutes } from './directory-routes.ts'
import { type EndpointRoutesOptions, endpointRoutes } from './endpoint-routes.ts'
import { type EventRoutesOptions, eventRoutes } from './event-routes.ts'
import { type ExtensionRoutesOptions, extensionRoutes } from './extension-routes.ts'
import { keyRoutes } from './key-routes.ts'
import { type MachineRoutesOptions, machineRoutes } from './machine-routes.ts'
import { type MessageRoutesOptions, messageRoutes } from './message-routes.ts'
import { type MetricsRoutesOptions, metricsRoutes } from './metrics-routes.ts'
import { queueRoutes } from './queue-routes.ts'
import { recordingRoutes } from './recording-routes.ts'
import { ruleRoutes } from './rule-routes.ts'
import { type SessionRoutesOptions, sessionRoutes } from './session-routes.ts'
import { type StatusRoutesOptions, statusRoutes } from './status-routes.ts'
import { tenantRoutes } from './tenant-routes.ts'
import { unitRoutes } from './unit-routes.ts'

export interface ApiOptions
  extends SessionRoutesOptions,
    AbilityRoutesOptions,
    CallRoutesOptions,
    EventRoutesOptions,
    EndpointRoutesOptions,
    ExtensionRoutesOptions,
    MetricsRoutesOptions,
    StatusRoutesOptions {
  /** Undefined where the queue is not at hand. */
  outbox: MessageRoutesOptions['outbox'] | undefined
  charts: MachineRoutesOptions['charts']
}

/** Every route of the API, a file a noun. */
export async function apiRoutes(app: FastifyInstance, options: ApiOptions): Promise<void> {
  await app.register(sessionRoutes, options)
  await app.register(callRoutes, options)
  await app.register(recordingRoutes, options)
  await app.register(eventRoutes, options)
  await app.register(tenantRoutes, options)
  await app.register(unitRoutes, options)
  await app.register(ruleRoutes, options)
  await app.register(directoryRoutes, options)
  await app.register(extensionRoutes, options)
  const { database, outbox } = options
  if (outbox) {
    await app.register(messageRoutes, { database, outbox })
    await app.register(queueRoutes, { database, outbox })
  }
  await app.register(endpointRoutes, options)
  await app.register(accountRoutes, options)
  await app.register(keyRoutes, options)
  await app.register(machineRoutes, options)
  await app.register(statusRoutes, options)
  await app.register(abilityRoutes, options)
  await app.register(metricsRoutes, options)
}
