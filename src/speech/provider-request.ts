import { fail, PorteiroError, reasonOf } from '../platform/errors.ts'
import { endingOf } from './time-limit.ts'

interface Question {
  /** Name for errors. */
  provider: string
  url: string
  headers: Record<string, string>
  body: string | Uint8Array<ArrayBuffer> | FormData
  /** A longer response is aborted and refused. */
  maxBytes: number
  signal: AbortSignal
}

interface Answer {
  /** Media type, without parameters, in lower case. */
  type: string
  bytes: Buffer
}

/**
 * Posts and reads the whole response. Rejects with SPEECH_REFUSED (any status but 2xx), _UNREACHABLE, _INVALID, or the
 * signal's reason.
 */
export async function ask({ provider, url, headers, body, maxBytes, signal }: Question): Promise<Answer> {
  try {
    // a redirect would send the key to another server
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    if (!response.ok) {
      await response.body?.cancel()
      // not the body, which may repeat the text or parts of the key
      throw fail('SPEECH_REFUSED', { provider, status: response.status })
    }
    const type = (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > maxBytes) throw fail('SPEECH_INVALID', { provider, reason: `more than ${maxBytes} bytes` })
      parts.push(part)
    }
    return { type, bytes: Buffer.concat(parts, length) }
  } catch (error) {
    if (error instanceof PorteiroError) throw error
    if (signal.aborted) throw endingOf(signal)
    // fetch only says "fetch failed"; the reason is in its cause
    const reason = reasonOf(error instanceof Error && error.cause ? error.cause : error)
    throw fail('SPEECH_UNREACHABLE', { provider, reason }, error)
  }
}

/** The JSON of a response. Throws SPEECH_INVALID. */
export function jsonOf(provider: string, bytes: Buffer | string): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    // not the parser's message, which quotes what somebody said
    throw fail('SPEECH_INVALID', { provider, reason: bytes.length === 0 ? 'empty' : 'not JSON' })
  }
}

/** The bytes of a response that must be sound. Throws SPEECH_INVALID. */
export function soundOf(provider: string, { type, bytes }: Answer): Buffer {
  if (type.startsWith('text/') || type === 'application/json') {
    throw fail('SPEECH_INVALID', { provider, reason: `${type} instead of sound` })
  }
  if (bytes.length < 2) throw fail('SPEECH_INVALID', { provider, reason: 'empty' })
  return bytes
}
