/**
 * Receives posts in a process of its own and answers at once, with the moment at which each arrived; `/hung` is never
 * answered.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer } from './child.ts'

const hung = new Set<ServerResponse>()
const server = createServer((request, response) => {
  // the monotonic clock of the machine, which all processes share
  const arrived = String(process.hrtime.bigint())
  request.resume()
  if (request.url === '/hung') hung.add(response.once('close', () => hung.delete(response)))
  else response.writeHead(204, { arrived }).end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
answer({ port: () => (server.address() as AddressInfo).port, hung: () => hung.size }, () => {
  server.closeAllConnections()
  server.close()
})
