import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Bytes of a request; ours have a few thousand. */
const BODY_LIMIT = 1024 * 1024

export interface PeerRequest {
  method: string
  /** With the query. */
  path: string
  headers: IncomingHttpHeaders
  body: Buffer
}

export interface PeerAnswer {
  status: number
  /** Sent as JSON. */
  body?: unknown
}

/** A local HTTP server that simulates another service. Closing it cuts open connections. */
export async function openHttpPeer(answer: (request: PeerRequest) => PeerAnswer | Promise<PeerAnswer>) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of request) {
        bytes += chunk.length
        if (bytes <= BODY_LIMIT) chunks.push(chunk)
      }
      const { status, body } =
        bytes > BODY_LIMIT
          ? { status: 413 }
          : await answer({
              method: request.method ?? '',
              path: request.url ?? '/',
              headers: request.headers,
              body: Buffer.concat(chunks),
            })
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body === undefined ? undefined : JSON.stringify(body))
    } catch {
      // the client is gone, or the request is not simulated
      response.destroy()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
