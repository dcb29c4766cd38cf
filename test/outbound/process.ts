/**
 * A worker by itself, to be killed: `node test/outbound/process.ts DATABASE_URL PEER NODE`. Posts each webhook to PEER with
 * its id, says `ready`, and ends in order when its input does.
 */

import type { ChannelSender } from '../../src/outbound/message.ts'
import { createOutbound } from '../../src/outbound/outbound.ts'
import { createWorker } from '../../src/outbound/worker.ts'
import { DeliveryError } from '../../src/platform/http-client/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/index.ts'

const [url, peer, node] = process.argv.slice(2) as [string, string, string]
const log = silentLog()
const database = await openDatabase({ url, dataDir: '/nonexistent', log })
const outbound = await createOutbound({
  database,
  log,
  node,
  works: true,
  retryLimit: 20,
  retryDelayMs: 200,
})

const webhook: ChannelSender = {
  channel: 'webhook',
  async send({ id, body }, { signal }) {
    const response = await fetch(peer, {
      method: 'POST',
      headers: { 'webhook-id': id },
      body: JSON.stringify(body),
      signal,
    }).catch((cause) => {
      throw new DeliveryError({ code: 'PEER_LOST', message: String(cause), uncertain: true, cause })
    })
    await response.arrayBuffer()
    if (!response.ok) throw new DeliveryError({ code: 'PEER_LOST', message: `HTTP ${response.status}` })
    return { status: response.status }
  },
  async close() {},
}
const worker = createWorker({ outbound, channels: [webhook], node, log })
process.stdin.on('end', async () => {
  await worker.close()
  await outbound.close()
  await database.close()
  process.exit(0)
})
process.stdin.resume()
console.log('ready')
