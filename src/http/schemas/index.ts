/**
 * The JSON of every answer, for the routes, for /openapi.json and for whoever writes a client. A moment is a string of
 * ISO 8601 in UTC on the wire. What a schema does not name never leaves: the serializer drops it.
 */
export * from './access.ts'
export * from './analytics.ts'
export * from './calls.ts'
export * from './common.ts'
export * from './directory.ts'
export * from './endpoints.ts'
export * from './messages.ts'
export * from './status.ts'
