import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { PACKAGE_ROOT } from '../platform/package.ts'
import { SESSION_COOKIE } from './auth.ts'
import { errorReply } from './schemas/index.ts'

/** Policy for swagger-ui: its own files, its picture, and the styles that it sets itself. */
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Routes for programs; pages and their files are for browsers. */
const DOCUMENTED = /^\/(api\/|:version|webhooks\/|healthz$|readyz$|metrics$)/

/**
 * Collects the routes that are registered after it. Each API route gets the form of its errors and, if it requires a
 * key, the security requirement, so the document always matches the checks: `x-scope` is the scope of the key, and
 * `x-every-tenant` asks for a key for all tenants.
 */
export async function collectRoutes(app: FastifyInstance, basePath: string): Promise<void> {
  const { version, license } = JSON.parse(await readFile(join(PACKAGE_ROOT, 'package.json'), 'utf8'))
  app.addHook('onRoute', (route) => {
    const { scope, everyTenant } = route.config ?? {}
    route.schema ??= {}
    if (scope)
      Object.assign(route.schema, { 'x-scope': scope, ...(everyTenant && { 'x-every-tenant': true }) })
    if (!DOCUMENTED.test(route.url)) route.schema.hide = true
    const isApi = route.url.startsWith('/api/')
    if (!isApi && !route.url.startsWith('/:version')) return
    route.schema.tags ??= [isApi ? route.url.split('/')[2]! : 'messages']
    if (scope) route.schema.security ??= [{ key: [] }, { session: [] }]
    route.schema.response = { ...Object(route.schema.response), '4xx': errorReply, '5xx': errorReply }
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Porteiro',
        version,
        license: { name: license, identifier: license },
        description:
          'Calls, directory, messages and keys of a gatehouse. Every error has a code: docs/errors.md.',
      },
      ...(basePath && { servers: [{ url: basePath }] }),
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'An API key' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: SESSION_COOKIE,
            description:
              'Set by POST /api/session; a change also needs its token in the header x-csrf-token.',
          },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withoutInputs(jsonSchemaTransformObject(document)),
  })
}

/** Removes the input variants: every named schema is that of a response. */
function withoutInputs(document: ReturnType<typeof jsonSchemaTransformObject>): typeof document {
  const { schemas = {} } = 'components' in document ? (document.components ?? {}) : {}
  const names = Object.keys(schemas)
  for (const name of names) {
    if (name.endsWith('Input') && names.includes(name.slice(0, -'Input'.length))) delete schemas[name]
  }
  return document
}

/** `GET /openapi.json`, and `/docs` to read it and try it out. Both contain no secrets and need no key. */
export async function documentRoutes(app: FastifyInstance, basePath: string): Promise<void> {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  const mark = await readFile(join(import.meta.dirname, '..', 'web', 'mark.svg'))
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    indexPrefix: basePath,
    logo: { type: 'image/svg+xml', content: mark, href: `${basePath}/`, target: '_self' },
    staticCSP: DOCS_POLICY,
    uiConfig: { docExpansion: 'none', persistAuthorization: false, deepLinking: false },
  })
}
