import { parse as parseForm } from 'node:querystring'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  type InboundChannel,
  type Intake,
  isSameSecret,
  isSignedByMeta,
  isSignedByTwilio,
  type Posted,
  readTwilio,
  readWhatsApp,
  tokenIn,
} from '../../inbound/index.ts'
import type { Account, Accounts, Carrier } from '../../outbound/index.ts'
import { cacheLookups } from '../../platform/cache.ts'
import { fail, PorteiroError } from '../../platform/errors.ts'
import { DeliveryError } from '../../platform/http-client/index.ts'
import type { Logger } from '../../platform/log.ts'
import { createRefusals } from '../../platform/refusals.ts'

/** Maximum size of a post in bytes; Meta bundles at most a thousand updates. */
const BODY_LIMIT = 1024 * 1024
/** Accounts are cached for this many ms, during which an old secret is still valid after a change. */
const REMEMBER_MS = 3000
/** The providers define these forms; our document only describes our own. */
const HIDDEN = { hide: true }
/**
 * No browser posts here: one of the security headers is enough, and building all of them takes longer than verifying
 * the post.
 */
const POSTED = { bodyLimit: BODY_LIMIT, schema: HIDDEN, helmet: false } as const

interface InboundRoutesOptions {
  intake: Intake
  /** The messenger accounts by the last part of their webhook's address. */
  accounts: Pick<Accounts, 'findByHook'>
  /** Public URL of this server without the path: `https://portaria.example.com`. Twilio signs it. */
  publicUrl: string | undefined
  log: Logger
}

type Provider = FastifyRequest<{ Params: { instance: string } }>

/**
 * `GET|POST /webhooks/whatsapp/:instance`, `POST /webhooks/unoapi/:instance`, `POST /webhooks/twilio/:instance`. A post is
 * checked over its raw bytes, stored with its jobs, and answered at once; the worker does the rest.
 */
export async function inboundRoutes(
  app: FastifyInstance,
  { intake, accounts, publicUrl, log }: InboundRoutesOptions,
): Promise<void> {
  const refusals = createRefusals(log, { lines: 5, windowMs: 10_000 }, 'webhook')
  app.addHook('onClose', async () => refusals.close())
  app.addHook('onRequest', async (_, reply) => {
    reply.header('x-content-type-options', 'nosniff')
  })
  // signatures cover bytes, so nothing is parsed before the check, whatever the content type
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
  app.addHook('onError', async (request, _, error) => {
    const refused =
      error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? fail('BODY_TOO_LARGE', { limit: BODY_LIMIT }) : error
    if (refused instanceof PorteiroError)
      refusals.note(refused, { remote: request.ip, path: pathOf(request) })
  })

  const accountsOf: { [C in Carrier]: (hook: string) => Promise<Account<C> | undefined> } = {
    whatsapp: cacheLookups((hook) => accounts.findByHook('whatsapp', hook), REMEMBER_MS),
    twilio: cacheLookups((hook) => accounts.findByHook('twilio', hook), REMEMBER_MS),
  }

  const accountOf = async <C extends Carrier>(
    carrier: C,
    channel: InboundChannel,
    { params: { instance } }: Provider,
  ): Promise<Account<C>> => {
    const account = await accountsOf[carrier](instance).catch((error) => {
      // an unreadable account accepts no posts; the reason is for its owner, not for the sender
      if (!(error instanceof DeliveryError)) throw error
      log.error({ instance, code: error.code, reason: error.message }, 'a webhook cannot be checked')
      throw fail('WEBHOOK_UNREADY', { lacks: 'a valid account' }, error)
    })
    if (account?.channel !== channel)
      throw fail('WEBHOOK_UNKNOWN', { channel, instance: instance.slice(0, 100) })
    return account
  }

  const take = async ({ tenantId, id: instanceId, channel }: Account, posted: Posted) => {
    const { messages } = await intake.accept({ tenantId, instanceId, channel }, posted)
    log.debug(
      {
        tenant: tenantId,
        instance: instanceId,
        messages,
        copies: posted.messages.length - messages,
        receipts: posted.receipts.length,
        ignored: posted.ignored,
      },
      'messages came in',
    )
  }

  app.get<{ Params: { instance: string } }>(
    '/webhooks/whatsapp/:instance',
    { schema: HIDDEN },
    async (request, reply) => {
      const { secrets } = await accountOf('whatsapp', 'whatsapp', request)
      const query = request.query as Record<string, unknown>
      const challenge = query['hub.challenge']
      const token = query['hub.verify_token']
      const verifyToken = needed(secrets.verifyToken, 'verifyToken')
      if (
        query['hub.mode'] !== 'subscribe' ||
        typeof challenge !== 'string' ||
        !/^[\w.-]{1,200}$/.test(challenge)
      )
        throw fail('BODY_INVALID', { problems: ['hub.mode must be subscribe, with a hub.challenge'] })
      if (typeof token !== 'string' || !isSameSecret(token, verifyToken)) throw fail('WEBHOOK_TOKEN')
      return reply.type('text/plain; charset=utf-8').send(challenge)
    },
  )

  app.post<{ Params: { instance: string } }>(
    '/webhooks/whatsapp/:instance',
    POSTED,
    async (request, reply) => {
      const account = await accountOf('whatsapp', 'whatsapp', request)
      const body = bytesOf(request)
      const appSecret = needed(account.secrets.appSecret, 'appSecret')
      if (!isSignedByMeta(body, headerOf(request, 'x-hub-signature-256'), appSecret))
        throw fail('WEBHOOK_SIGNATURE', { header: 'X-Hub-Signature-256' })
      await take(account, cloudPost(body))
      return accepted(reply)
    },
  )

  app.post<{ Params: { instance: string } }>('/webhooks/unoapi/:instance', POSTED, async (request, reply) => {
    const account = await accountOf('whatsapp', 'unoapi', request)
    const token = needed(account.secrets.verifyToken, 'verifyToken')
    if (!isSameSecret(tokenIn(headerOf(request, 'authorization')), token)) throw fail('WEBHOOK_TOKEN')
    await take(account, cloudPost(bytesOf(request)))
    return accepted(reply)
  })

  app.post<{ Params: { instance: string } }>('/webhooks/twilio/:instance', POSTED, async (request, reply) => {
    const account = await accountOf('twilio', 'twilio', request)
    const { authToken: token } = account.secrets
    const origin = needed(publicUrl, 'PUBLIC_URL').replace(/\/+$/, '')
    const form = { ...parseForm(bytesOf(request).toString('utf8')) }
    const url = `${origin}${request.raw.url ?? ''}`
    if (!isSignedByTwilio(headerOf(request, 'x-twilio-signature'), { token, url, form }))
      throw fail('WEBHOOK_SIGNATURE', { header: 'X-Twilio-Signature' })
    await take(account, readTwilio(form))
    return reply.type('text/xml; charset=utf-8').send('<Response/>')
  })
}

/** The secret for checking posts. Without it no post is accepted, because an unchecked webhook could open gates. */
function needed(secret: string | undefined, name: string): string {
  if (!secret) throw fail('WEBHOOK_UNREADY', { lacks: name })
  return secret
}

/**
 * Parses a post. Other JSON than posts of the Cloud API is ignored, and answered with 200 too. Errors: BODY_NOT_JSON.
 */
function cloudPost(body: Buffer): Posted {
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8'))
  } catch {
    throw fail('BODY_NOT_JSON')
  }
  return readWhatsApp(json) ?? { messages: [], receipts: [], ignored: 1 }
}

function bytesOf({ body }: Provider): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

function headerOf({ headers }: Provider, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

/** The path without the query, which may contain the verify token. */
function pathOf({ url }: FastifyRequest): string {
  return url.split('?')[0]!.slice(0, 200)
}

/** An empty 200: Meta does not read the body. */
function accepted(reply: FastifyReply): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send('')
}
