import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import {
  deleteTenantPrompt,
  isOrphan,
  listTenantPrompts,
  readTenantPrompt,
  saveTenantPrompt,
} from '../../directory/index.ts'
import { isPromptId, parseWav } from '../../media/index.ts'
import { SAMPLE_RATE } from '../../platform/audio.ts'
import { asPorteiroError, fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { headerOf, WAV_HEADER_BYTES } from '../../platform/wav.ts'
import { pcmFrom, RATES, resample, samplesOf } from '../../speech/index.ts'
import { tenantOf } from '../auth.ts'
import { listOf, tenantPrompt } from '../schemas/index.ts'

/** s of a prompt at most, and bytes of one at the highest rate. */
const LONGEST_S = 30
const LARGEST = LONGEST_S * 48_000 * 2 + 4096
const WAV_TYPES = ['audio/wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave']

const tenant = z.string().max(64)
const params = z.object({ tenant, prompt: z.string().max(64) })

/** `/api/tenants/:tenant/prompts`: a tenant's own sounds in place of prompts, for the next call on every node. */
export async function promptRoutes(instance: FastifyInstance, { database }: { database: Database }) {
  const app = instance.withTypeProvider<ZodTypeProvider>()
  app.addContentTypeParser(WAV_TYPES, { parseAs: 'buffer' }, (_, body, done) => done(null, body))

  /** The tenant and prompt of a path. Errors: TENANT_UNKNOWN, PROMPT_UNKNOWN. */
  const placeOf = (request: FastifyRequest) => {
    const { tenant: named, prompt } = request.params as z.output<typeof params>
    // digits and letters are spelled one by one
    if (!isPromptId(prompt) || /^(digit|letter)-/.test(prompt)) throw fail('PROMPT_UNKNOWN', { prompt })
    return { tenantId: tenantOf(request, named), prompt }
  }

  app.get(
    '/api/tenants/:tenant/prompts',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The sounds that a tenant has sent in place of prompts',
        params: z.object({ tenant }),
        response: { 200: listOf(tenantPrompt) },
      },
    },
    async (request) => {
      const prompts = await listTenantPrompts(database, tenantOf(request, request.params.tenant))
      return {
        items: prompts.map(({ prompt, bytes, updatedAt }) => ({
          prompt,
          ms: Math.floor((bytes - WAV_HEADER_BYTES) / ((SAMPLE_RATE * 2) / 1000)),
          updatedAt,
        })),
      }
    },
  )

  app.put(
    '/api/tenants/:tenant/prompts/:prompt',
    {
      config: { scope: 'admin' },
      bodyLimit: LARGEST,
      schema: {
        summary: `Replaces a prompt: a WAV of the type audio/wav, 16 bit, mono, at most ${LONGEST_S} s; it is converted to 8 kHz`,
        params,
        response: { 200: tenantPrompt },
      },
    },
    async (request) => {
      const { tenantId, prompt } = placeOf(request)
      if (!Buffer.isBuffer(request.body))
        throw fail('PROMPT_REFUSED', { reason: 'its type is not audio/wav' })
      const sound = await telephoneSound(request.body)
      await saveTenantPrompt(
        database,
        tenantId,
        prompt,
        Buffer.concat([headerOf(sound.length, SAMPLE_RATE), sound]),
      ).catch((error) => {
        throw isOrphan(error) ? fail('TENANT_UNKNOWN', { tenant: tenantId }, error) : error
      })
      request.log.info({ tenant: tenantId, prompt, by: request.caller?.name }, 'a prompt was replaced')
      return { prompt, ms: Math.floor(sound.length / ((SAMPLE_RATE * 2) / 1000)), updatedAt: new Date() }
    },
  )

  app.get(
    '/api/tenants/:tenant/prompts/:prompt',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The sound, as calls play it',
        params,
        response: {
          200: {
            description: 'The WAV',
            content: { 'audio/wav': { schema: z.any().meta({ type: 'string', format: 'binary' }) } },
          },
        },
      },
    },
    async (request, reply) => {
      const place = placeOf(request)
      const sound = await readTenantPrompt(database, place)
      if (!sound) throw absent(place)
      return reply.type('audio/wav').send(sound)
    },
  )

  app.delete(
    '/api/tenants/:tenant/prompts/:prompt',
    {
      config: { scope: 'admin' },
      schema: { summary: 'Callers hear the usual words again', params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      const place = placeOf(request)
      if (!(await deleteTenantPrompt(database, place.tenantId, place.prompt))) throw absent(place)
      return reply.status(204).send(null)
    },
  )
}

const absent = ({ tenantId, prompt }: { tenantId: string; prompt: string }) =>
  fail('PROMPT_ABSENT', { tenant: tenantId, prompt })

/** The sound of a WAV as s16le at 8 kHz. Errors: PROMPT_REFUSED. */
async function telephoneSound(bytes: Buffer): Promise<Buffer> {
  const refuse = (reason: unknown) => fail('PROMPT_REFUSED', { reason })
  let wav: ReturnType<typeof parseWav>
  try {
    wav = parseWav(bytes)
  } catch (error) {
    throw refuse(asPorteiroError(error).details['reason'])
  }
  const { rate, channels, bits, data } = wav
  if (channels !== 1 || bits !== 16 || !RATES.includes(rate))
    throw refuse(`it is ${rate} Hz, ${channels} channel(s), ${bits} bit`)
  const pcm = data.subarray(0, data.length & ~1)
  if (pcm.length === 0) throw refuse('it is empty')
  if (pcm.length > LONGEST_S * rate * 2) throw refuse(`it is longer than ${LONGEST_S} s`)
  return rate === SAMPLE_RATE ? pcm : pcmFrom(await resample(samplesOf(pcm), rate, SAMPLE_RATE))
}
