import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { findCall } from '../../calls/index.ts'
import { fail } from '../../platform/errors.ts'
import { maySee } from '../auth.ts'
import { listRecordings } from '../recordings.ts'
import { listOf, recording } from '../schemas/index.ts'
import { type CallRoutesOptions, callId } from './calls.ts'

type RecordingRoutesOptions = Pick<CallRoutesOptions, 'calls' | 'database' | 'recordings'>

/** `GET /api/calls/:id/recordings` and `/:name`, a WAV that supports ranges for players. */
export async function recordingRoutes(
  instance: FastifyInstance,
  { calls, database, recordings }: RecordingRoutesOptions,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  const demandSight = async (request: FastifyRequest, id: string) => {
    const call = calls?.find(id) ?? (await findCall(database, id))
    if (!call || !maySee(request, call.tenantId)) throw fail('CALL_UNKNOWN', { callId: id })
  }

  app.get(
    '/api/calls/:id/recordings',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The recordings of a call',
        params: z.object({ id: callId }),
        response: { 200: listOf(recording) },
      },
    },
    async (request) => {
      await demandSight(request, request.params.id)
      return { items: await listRecordings(recordings, request.params.id) }
    },
  )

  app.get(
    '/api/calls/:id/recordings/:name',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'One recording as WAV',
        params: z.object({
          id: callId,
          name: z.string().regex(/^[\w-]{1,64}$/, 'must be the name of a recording'),
        }),
        response: { 200: sound('The whole'), 206: sound('A part of it') },
      },
    },
    async (request, reply) => {
      const { id, name } = request.params
      await demandSight(request, id)
      const file = join(recordings, id, `${name}.wav`)
      const { size } = await stat(file).catch(() => {
        throw fail('RECORDING_UNKNOWN', { callId: id, name })
      })
      const range = rangeOf(request.headers.range, size)
      reply.type('audio/wav').header('accept-ranges', 'bytes').header('cache-control', 'private, no-store')
      if (range === undefined) return reply.header('content-length', size).send(createReadStream(file))
      const { start, end } = range
      return reply
        .status(206)
        .header('content-range', `bytes ${start}-${end}/${size}`)
        .header('content-length', end - start + 1)
        .send(createReadStream(file, { start, end }))
    },
  )
}

function sound(description: string) {
  return {
    description,
    content: { 'audio/wav': { schema: z.any().meta({ type: 'string', format: 'binary' }) } },
  }
}

/** The range of a request, both ends included; undefined without a valid range: then the whole file is sent. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start <= end ? { start, end } : undefined
}
