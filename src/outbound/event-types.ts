/** The events that endpoints are told of. */
export const EVENT_TYPES = [
  'call.started',
  'call.decided',
  'call.ended',
  'resident.wanted',
  'endpoint.paused',
  'endpoint.disabled',
] as const
export type EventType = (typeof EVENT_TYPES)[number]
