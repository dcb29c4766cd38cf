import { createServer, type Server } from 'node:http'
import type { createCheck, Verdict } from './check.ts'

/** Most bytes of a body; a command has some 400. */
const MAX_BYTES = 10_000

/** A gate with a webhook: 204 says that it is open, and Porteiro sends no more. Resolves when it listens on `port`. */
export async function listen(
  port: number,
  check: ReturnType<typeof createCheck>,
  open: () => void,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    let body = ''
    try {
      for await (const text of request.setEncoding('utf8')) {
        body += text
        if (body.length > MAX_BYTES) return response.writeHead(413, { connection: 'close' }).end()
      }
    } catch {
      // whoever sent it has gone
      return response.destroy()
    }
    let verdict: Verdict
    try {
      verdict = check(request.headers, body)
    } catch (error) {
      console.error('a command cannot be checked', error)
      return response.writeHead(503).end()
    }
    if (verdict === 'open') open()
    const isOpen = verdict === 'open' || verdict === 'opened before'
    response.writeHead(isOpen ? 204 : 403).end(isOpen ? undefined : verdict)
  })
  await new Promise<void>((resolve) => server.listen(port, resolve))
  return server
}
