/**
 * Receives posts in a process of its own and answers at once, with the moment at which each arrived; `/hung` is never
 * answered, and `/gate` remembers the moment by the command's id.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer } from './child.ts'

const hung = new Set<ServerResponse>()
const commands = new Map<string, PromiseWithResolvers<string>>()
const commandOf = (id: string) => {
  const command = commands.get(id) ?? Promise.withResolvers<string>()
  commands.set(id, command)
  return command
}
const server = createServer((request, response) => {
  // the monotonic clock of the machine, which all processes share
  const arrived = String(process.hrtime.bigint())
  request.resume()
  if (request.url === '/gate') commandOf(String(request.headers['webhook-id'])).resolve(arrived)
  if (request.url === '/hung') hung.add(response.once('close', () => hung.delete(response)))
  else response.writeHead(204, { arrived }).end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
answer(
  {
    port: () => (server.address() as AddressInfo).port,
    hung: () => hung.size,
    /** The moment at which a gate got this command, once it has. */
    told: (id: string) => commandOf(id).promise,
  },
  () => {
    server.closeAllConnections()
    server.close()
  },
)
