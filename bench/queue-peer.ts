/** Receives posts in a process of its own and answers at once; `/hung` is never answered. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer } from './child.ts'

const hung = new Set<ServerResponse>()
const server = createServer((request, response) => {
  request.resume()
  if (request.url === '/hung') hung.add(response.once('close', () => hung.delete(response)))
  else response.writeHead(204).end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
answer({ port: () => (server.address() as AddressInfo).port }, () => {
  server.closeAllConnections()
  server.close()
})
