import type { FastifyInstance } from 'fastify'
import { type AbilityRoutesOptions, abilityRoutes } from './routes/abilities.ts'
import { type AccountRoutesOptions, accountRoutes } from './routes/accounts.ts'
import { analyticsRoutes } from './routes/analytics.ts'
import { type CallRoutesOptions, callRoutes } from './routes/calls.ts'
import { directoryRoutes } from './routes/directory.ts'
import { type EndpointRoutesOptions, endpointRoutes } from './routes/endpoints.ts'
import { type EventRoutesOptions, eventRoutes } from './routes/events.ts'
import { type ExtensionRoutesOptions, extensionRoutes } from './routes/extensions.ts'
import { keyRoutes } from './routes/keys.ts'
import { type MachineRoutesOptions, machineRoutes } from './routes/machines.ts'
import { type MediaRoutesOptions, mediaRoutes } from './routes/media.ts'
import { type MessageRoutesOptions, messageRoutes } from './routes/messages.ts'
import { type MetricsRoutesOptions, metricsRoutes } from './routes/metrics.ts'
import { numberRoutes } from './routes/numbers.ts'
import { promptRoutes } from './routes/prompts.ts'
import { queueRoutes } from './routes/queue.ts'
import { recordingRoutes } from './routes/recordings.ts'
import { ruleRoutes } from './routes/rules.ts'
import { type SessionRoutesOptions, sessionRoutes } from './routes/sessions.ts'
import { type StatusRoutesOptions, statusRoutes } from './routes/status.ts'
import { tenantRoutes } from './routes/tenants.ts'
import { unitRoutes } from './routes/units.ts'

export interface ApiOptions
  extends SessionRoutesOptions,
    AccountRoutesOptions,
    AbilityRoutesOptions,
    CallRoutesOptions,
    EventRoutesOptions,
    EndpointRoutesOptions,
    MediaRoutesOptions,
    MessageRoutesOptions,
    ExtensionRoutesOptions,
    MetricsRoutesOptions,
    StatusRoutesOptions {
  charts: MachineRoutesOptions['charts']
}

/** Registers all routes of the API, one file per noun. */
export async function apiRoutes(app: FastifyInstance, options: ApiOptions): Promise<void> {
  await app.register(sessionRoutes, options)
  await app.register(callRoutes, options)
  await app.register(recordingRoutes, options)
  await app.register(eventRoutes, options)
  await app.register(tenantRoutes, options)
  await app.register(promptRoutes, options)
  await app.register(unitRoutes, options)
  await app.register(ruleRoutes, options)
  await app.register(numberRoutes, options)
  await app.register(directoryRoutes, options)
  await app.register(extensionRoutes, options)
  await app.register(messageRoutes, options)
  await app.register(mediaRoutes, options)
  await app.register(queueRoutes, options)
  await app.register(analyticsRoutes, options)
  await app.register(endpointRoutes, options)
  await app.register(accountRoutes, options)
  await app.register(keyRoutes, options)
  await app.register(machineRoutes, options)
  await app.register(statusRoutes, options)
  await app.register(abilityRoutes, options)
  await app.register(metricsRoutes, options)
}
