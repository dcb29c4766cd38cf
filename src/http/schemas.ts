/**
 * The JSON of every answer, for the routes, for /openapi.json and for whoever writes a client. A moment is a string of
 * ISO 8601 in UTC on the wire. What a schema does not name never leaves: the serializer drops it.
 */
export * from './schemas/access.ts'
export * from './schemas/calls.ts'
export * from './schemas/common.ts'
export * from './schemas/directory.ts'
export * from './schemas/endpoints.ts'
export * from './schemas/messages.ts'
export * from './schemas/status.ts'
