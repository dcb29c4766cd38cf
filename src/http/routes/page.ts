import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Directory of the page, also next to the compiled files. */
const WEB = join(import.meta.dirname, '..', '..', 'web')
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Scripts, styles, worklets, connections and recordings only from our own origin, and nothing inline. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "media-src 'self' blob:",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * The page at `/`, and its files and those of the inspector at `/assets/…`. They name each other by relative URLs, so
 * that they work under any path that a proxy gives them. Each file has its own route, registered when the server starts, so that
 * a path can only name one of them. Files are read at each request, so edits are served at once.
 */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  app.addHook('onSend', async (_, reply) => {
    reply.header('content-security-policy', POLICY)
    reply.header('cross-origin-opener-policy', 'same-origin')
    reply.header('permissions-policy', 'microphone=(self), camera=(), geolocation=()')
    reply.header('referrer-policy', 'no-referrer')
    reply.header('x-content-type-options', 'nosniff')
    // revalidated each time, usually with 304, so that a new version is used at once
    reply.header('cache-control', 'no-cache')
  })
  for (const file of await filesOf(WEB)) {
    const path = file === 'index.html' ? '/' : `/assets/${file}`
    app.get(path, async (request, reply) => sendFile(request, reply, file))
  }
}

async function sendFile(request: FastifyRequest, reply: FastifyReply, file: string): Promise<FastifyReply> {
  const bytes = await readFile(join(WEB, file))
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  reply.header('etag', etag)
  if (request.headers['if-none-match'] === etag) return reply.status(304).send()
  return reply.type(TYPES[extname(file)]!).send(bytes)
}

/** The files for browsers, as paths with slashes. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return (
    entries
      .filter((entry) => entry.isFile() && extname(entry.name) in TYPES)
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
      // the inspector's pages have routes of their own
      .filter((file) => !file.endsWith('.html') || file === 'index.html')
      .sort()
  )
}
