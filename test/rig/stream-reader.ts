import { type IncomingMessage, request } from 'node:http'
import * as assert from 'uvu/assert'
import { ADMIN_KEY } from './http-rig.ts'
import type { Rig } from './rig.ts'

/** One event of a stream, or a comment. */
export interface Streamed {
  id: string | undefined
  event: string
  // biome-ignore lint/suspicious/noExplicitAny: what the service says is what the test looks at
  data: any
}

interface Wanted {
  path?: string
  /** Null: none. */
  key?: string | null
  headers?: Record<string, string>
}

/** A reader of server-sent events; ended with the test. */
export async function openStream(
  rig: Rig,
  port: number,
  { path = '/api/events', key, headers }: Wanted = {},
) {
  const seen: Streamed[] = []
  const waiting = new Set<() => void>()
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    agent: false,
    headers: { ...(key !== null && { authorization: `Bearer ${key ?? ADMIN_KEY}` }), ...headers },
  })
  sent.on('response', resolve).on('error', reject)
  sent.end()
  const response = await promise
  const ended = new Promise<void>((done) => response.once('close', done))
  rig.defer(async () => {
    sent.destroy()
    await ended
  })
  assert.is(response.statusCode, 200)
  assert.match(String(response.headers['content-type']), /^text\/event-stream/)
  let text = ''
  response.on('error', () => {})
  response.setEncoding('utf8').on('data', (part: string) => {
    text += part
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      seen.push(parse(text.slice(0, end)))
      text = text.slice(end + 2)
    }
    for (const look of waiting) look()
  })

  return {
    seen,
    ended,
    response,
    /** Resolves with the first event that fits, past or still to come. */
    until(fits: (event: Streamed) => boolean, ms = 60_000): Promise<Streamed> {
      return new Promise((found, failed) => {
        const look = () => {
          const one = seen.find(fits)
          if (one) finish(() => found(one))
        }
        const finish = (settle: () => void) => {
          clearTimeout(timer)
          waiting.delete(look)
          settle()
        }
        const timer = setTimeout(
          () =>
            finish(() =>
              failed(
                new Error(
                  `not streamed within ${ms} ms: ${fits}; seen ${JSON.stringify(seen).slice(0, 500)}`,
                ),
              ),
            ),
          ms,
        )
        waiting.add(look)
        look()
      })
    },
  }
}

function parse(block: string): Streamed {
  const fields = new Map(
    block.split('\n').map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
    }),
  )
  const data = fields.get('data')
  return { id: fields.get('id'), event: fields.get('event') ?? '', data: data ? JSON.parse(data) : undefined }
}
