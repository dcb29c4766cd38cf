import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import * as assert from 'uvu/assert'
import { limitAttempt } from '../../src/outbound/executor.ts'
import type { Message } from '../../src/outbound/message.ts'
import { createHttpClient } from '../../src/platform/http-client/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('a process that stood still')

/** A busy machine needs part of it to connect. */
const LIMIT_MS = 3000

test('an attempt whose answer arrived meanwhile has succeeded, although its time is over', async (rig) => {
  // it answers, and then this process stands still until every limit is long over
  const server = createServer((socket) =>
    socket
      .on('error', () => {})
      .once('data', () => {
        socket.write('HTTP/1.1 204 No Content\r\n\r\n')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LIMIT_MS + 500)
      }),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  rig.defer(() => server.close())
  const http = createHttpClient({ allow: ['127.0.0.0/8'] })
  rig.defer(() => http.close())
  const { attempt, limited } = limitAttempt({
    message: { expiresAt: null } as Message,
    number: 1,
    controller: new AbortController(),
    now: Date.now(),
    timeoutMs: LIMIT_MS,
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const { signal } = attempt
  const result = await limited(http.post(url, { timeoutMs: LIMIT_MS, signal, wants: 'status' }))
  assert.is(result.ok && result.accepted.status, 204)
})

test.run()
