import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Accounts, ReceivedMedia } from '../../outbound/index.ts'
import { fail } from '../../platform/errors.ts'
import { tenantOf } from '../auth.ts'
import { cloudMedia } from '../schemas/index.ts'

export interface MediaRoutesOptions {
  accounts: Pick<Accounts, 'findByPhone' | 'main'>
  media: ReceivedMedia
  /** PUBLIC_URL, with the prefix of a proxy. */
  publicUrl?: string | undefined
  basePath?: string
}

/** As v15.0. */
const VERSION = '/:version(^v\\d{1,3}\\.\\d{1,3}$)'
const version = z.string()
const phone = z.string().min(1).max(100)
const MEDIA = '[A-Za-z0-9][\\w:=-]{0,199}'
const media = z.string().regex(RegExp(`^${MEDIA}$`), 'must be the id of a file')
/** UnoAPI's ids begin with the phone; some programs encode the slash. */
const mediaOrBoth = z.string().regex(RegExp(`^([\\w+.-]{1,100}/)?${MEDIA}$`), 'must be the id of a file')
const config = { scope: 'operate', bareKey: true } as const

/**
 * The ways in which UnoAPI and the Cloud API read what people sent: `GET /{version}/{phone}/{media}` and `GET /{version}/{media}` say where
 * the file is, and that address of ours gives it to the same key.
 */
export async function mediaRoutes(
  instance: FastifyInstance,
  { accounts, media: received, publicUrl, basePath = '' }: MediaRoutesOptions,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  /** The account of this phone, or the main one. */
  const accountOf = async (request: FastifyRequest, named: string | undefined) => {
    const tenant = tenantOf(request, undefined)
    const account =
      named === undefined
        ? await accounts.main(tenant, 'whatsapp')
        : await accounts.findByPhone(request.caller!.tenantId ?? undefined, named)
    if (!account)
      throw fail('INSTANCE_UNKNOWN', { tenant, carrier: 'whatsapp', instance: named ?? 'default' })
    return account
  }

  const describe = async (request: FastifyRequest, id: string, named: string | undefined) => {
    const account = await accountOf(request, named)
    const { url: _, id: known = id, ...facts } = await received.describe(account, id)
    const base = publicUrl ?? `${request.protocol}://${request.host}${basePath}`
    const { version: asked } = request.params as { version: string }
    const url = `${base}/${asked}/download/${encodeURIComponent(named ?? account.settings.phoneId)}/${id}`
    return { messaging_product: 'whatsapp' as const, url, ...facts, id: known }
  }

  app.get(
    `${VERSION}/:phone/:media`,
    {
      config,
      schema: {
        summary: "UnoAPI's way to read what a person sent: where the file is, and what it is",
        params: z.object({ version, phone, media }),
        response: { 200: cloudMedia },
      },
    },
    (request) => describe(request, request.params.media, request.params.phone),
  )

  app.get(
    `${VERSION}/:media`,
    {
      config,
      schema: {
        summary: "The Cloud API's way: by the account of phone_number_id, or the tenant's main one",
        params: z.object({ version, media: mediaOrBoth }),
        querystring: z.object({ phone_number_id: phone.optional() }),
        response: { 200: cloudMedia },
      },
    },
    (request) => {
      const [id = '', named = request.query.phone_number_id] = request.params.media.split('/').reverse()
      return describe(request, id, named)
    },
  )

  app.get(
    `${VERSION}/download/:phone/:media`,
    {
      config,
      schema: {
        summary: 'The file itself, from the provider',
        params: z.object({ version, phone, media }),
        response: {
          200: {
            description: 'The file, with its type',
            content: {
              '*/*': { schema: z.any().meta({ type: 'string', format: 'binary' }) },
            },
          },
        },
      },
    },
    async (request, reply) => {
      const account = await accountOf(request, request.params.phone)
      const { type, bytes } = await received.download(account, request.params.media)
      // strangers made it: no browser shows it as a page of ours
      return reply
        .type(TYPE.test(type) ? type : 'application/octet-stream')
        .header('content-disposition', 'attachment')
        .header('content-security-policy', "default-src 'none'; sandbox")
        .send(bytes)
    },
  )
}

const TYPE = /^[a-z]{1,20}\/[\w.+-]{1,100}(; ?codecs?=[\w.]{1,20})?$/
