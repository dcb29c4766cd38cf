/**
 * The world outside, in a process of its own: a gate's controller and a receiver of webhooks. Both write down what they get before
 * they answer. Arguments: file of records, seed, its own port (0: any). Sends its port, then each record.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRandom } from './random.ts'
import { type CommandRecord, type Manner, noteRecord, type PeerRecord, readRecords } from './records.ts'

/** How often the controller behaves so. */
const MANNERS: Record<Manner, number> = { prompt: 66, late: 12, twice: 6, wrong: 6, silent: 5, lost: 5 }
/** ms of a late answer. */
const LATE_MS = [500, 4000] as const
/** Part of the webhooks that are answered 500. */
const REFUSED = 0.05

const [file = '', seed = '1', port = '0'] = process.argv.slice(2)
const random = createRandom(Number(seed))
/** Ids of commands that opened the gate. */
const opened = new Set(
  (await readRecords(file)).flatMap((record) =>
    record.kind === 'command' && record.opened ? [record.id] : [],
  ),
)

const note = (record: PeerRecord) => {
  noteRecord(file, record)
  process.send?.(record)
}

async function open(request: IncomingMessage, response: ServerResponse, text: string): Promise<void> {
  const { id, expires_at, data } = JSON.parse(text)
  const at = Date.now()
  const manner = random.pick(MANNERS)
  const opens = manner !== 'lost' && !opened.has(id) && at < Date.parse(expires_at)
  const command: CommandRecord = {
    kind: 'command',
    id,
    call: data.call_id,
    counter: Number(request.headers['x-porteiro-counter']),
    at,
    expiresAt: Date.parse(expires_at),
    manner,
    opened: opens,
  }
  if (opens) opened.add(id)
  if (manner === 'silent' || manner === 'lost') return note(command)
  if (manner === 'late') await sleep(random.between(...LATE_MS))
  const status = manner === 'wrong' ? 503 : at >= command.expiresAt ? 410 : 204
  // nobody hears an answer to a process that was killed
  if (response.destroyed) return note(command)
  note({ ...command, status, answeredAt: Date.now() })
  response.writeHead(status).end()
  if (manner === 'twice') request.socket.write('HTTP/1.1 204 No Content\r\n\r\n')
}

function receive(response: ServerResponse, id: string, text: string): void {
  const { type, data } = JSON.parse(text)
  note({ kind: 'webhook', id, type, call: data.call_id ?? null, at: Date.now() })
  response.writeHead(random.next() < REFUSED ? 500 : 204).end()
}

const server = createServer(async (request, response) => {
  try {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const text = Buffer.concat(parts).toString()
    if (request.url === '/gate') await open(request, response, text)
    else receive(response, String(request.headers['webhook-id']), text)
  } catch {
    // whoever posted it was killed meanwhile
    response.destroy()
  }
})
server.listen(Number(port), '127.0.0.1')
await once(server, 'listening')
process.send?.({ port: (server.address() as AddressInfo).port })
process.once('disconnect', () => process.exit())
