import { undelivered } from './undelivered.ts'

/** Maximum length of a response in bytes. */
const ANSWER_BYTES = 256 * 1024
/** If only the status counts: maximum bytes and ms that are read to keep the connection alive; then it is cut. */
const IDLE_BYTES = 16 * 1024
const IDLE_MS = 500

type Body = AsyncIterable<Buffer> & {
  destroy(error?: Error): unknown
  on(event: 'error', listener: () => void): unknown
}

/** The whole body, of at most `limit` bytes. Throws DELIVERY_TOO_LARGE, final. */
export async function takeBytes(body: Body, host: string, limit: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of body) {
    size += part.length
    if (size > limit) {
      // leaving the loop destroys the stream, and with it the connection
      throw undelivered('DELIVERY_TOO_LARGE', { host, limit }, { final: true })
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** The whole body as text. Throws DELIVERY_TOO_LARGE, final. */
export async function take(body: Body, host: string): Promise<{ body: string; whole: boolean }> {
  return { body: (await takeBytes(body, host, ANSWER_BYTES)).toString('utf8'), whole: true }
}

/** Reads the rest only to keep the connection alive: the status is known, and the body does not change it. */
export async function drain(body: Body, signal: AbortSignal): Promise<{ body: string; whole: boolean }> {
  let whole = false
  const cut = () => body.destroy()
  body.on('error', () => {})
  const timer = setTimeout(cut, IDLE_MS)
  signal.addEventListener('abort', cut, { once: true })
  try {
    let size = 0
    for await (const part of body) {
      size += part.length
      if (size > IDLE_BYTES) return { body: '', whole }
    }
    whole = true
  } catch {
    // cut by us or by the server
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', cut)
  }
  return { body: '', whole }
}

/** The JSON of a response; undefined if it is not JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
