import { undelivered } from './undelivered.ts'

/** Bytes of an answer that are read. */
const ANSWER_BYTES = 256 * 1024
/** Where only the status counts: so much of the body is read, for so long, to keep the connection; then it is cut. */
const IDLE_BYTES = 16 * 1024
const IDLE_MS = 500

type Body = AsyncIterable<Buffer> & {
  destroy(error?: Error): unknown
  on(event: 'error', listener: () => void): unknown
}

/** All of it. Throws DELIVERY_TOO_LARGE, final. */
export async function take(body: Body, host: string): Promise<{ body: string; whole: boolean }> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of body) {
    size += part.length
    if (size > ANSWER_BYTES) {
      // leaving the loop destroys the stream, and with it the connection
      throw undelivered('DELIVERY_TOO_LARGE', { host, limit: ANSWER_BYTES }, { final: true })
    }
    parts.push(part)
  }
  return { body: Buffer.concat(parts).toString('utf8'), whole: true }
}

/** Reads on for the sake of the connection only: the status has come, and nothing that follows changes it. */
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
    // cut, by us or by the other side
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', cut)
  }
  return { body: '', whole }
}

/** What an answer says in JSON; undefined where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
