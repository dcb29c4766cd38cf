import { fail, PorteiroError, reasonOf } from '../platform/errors.ts'
import { endingOf } from './deadline.ts'

interface Question {
  /** Stands in errors. */
  provider: string
  url: string
  headers: Record<string, string>
  body: string | Uint8Array<ArrayBuffer> | FormData
  /** A longer answer is cut off and refused. */
  maxBytes: number
  signal: AbortSignal
}

interface Answer {
  /** Media type, without parameters, in small letters. */
  type: string
  bytes: Buffer
}

/** Posts and reads the whole answer. Rejects with SPEECH_REFUSED (any status but 2xx), _UNREACHABLE, _INVALID, or the signal's reason. */
export async function ask({ provider, url, headers, body, maxBytes, signal }: Question): Promise<Answer> {
  try {
    // a redirect would take the key along to somebody else
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    if (!response.ok) {
      await response.body?.cancel()
      // its body may repeat the text or parts of the key
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
    // fetch says "fetch failed" and keeps what happened in its cause
    const reason = reasonOf(error instanceof Error && error.cause ? error.cause : error)
    throw fail('SPEECH_UNREACHABLE', { provider, reason }, error)
  }
}

/** The JSON of an answer. Throws SPEECH_INVALID. */
export function jsonOf(provider: string, bytes: Buffer | string): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    // the parser's message quotes what it read, which is what somebody said
    throw fail('SPEECH_INVALID', { provider, reason: bytes.length === 0 ? 'empty' : 'not JSON' })
  }
}

/** The bytes of an answer that must be sound. Throws SPEECH_INVALID. */
export function soundOf(provider: string, { type, bytes }: Answer): Buffer {
  if (type.startsWith('text/') || type === 'application/json') {
    throw fail('SPEECH_INVALID', { provider, reason: `${type} in place of sound` })
  }
  if (bytes.length < 2) throw fail('SPEECH_INVALID', { provider, reason: 'empty' })
  return bytes
}
