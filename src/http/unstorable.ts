import type { FastifyInstance } from 'fastify'
import { fail } from '../platform/errors.ts'
import { findUnstorable } from '../platform/plain-text.ts'

/** NUL, and half of a surrogate pair as UTF-8 never has it. */
const IN_URL = /%00|%ed%[ab][0-9a-f]/i

/** Refuses texts that Postgres cannot store, in path, query and JSON body, before a query fails on them: BODY_INVALID. */
export function refuseUnstorable(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ url }) => {
    if (IN_URL.test(url)) throw refusal(IN_URL.test(url.split('?')[0]!) ? 'path' : 'query')
  })
  app.addHook('preValidation', async ({ body }) => {
    // bytes are checked by the routes that read them
    if (Buffer.isBuffer(body)) return
    const path = findUnstorable(body)
    if (path) throw refusal(path.join('/') || 'body')
  })
}

function refusal(place: string): Error {
  return fail('BODY_INVALID', { problems: [`${place}: has a NUL or half of a character`] })
}
