import { DeliveryError, type HttpClient, undelivered } from '../../platform/http-client/index.ts'

/** ms for one download, and how many this process makes at once: each is held in memory until it is uploaded. */
const DOWNLOAD_MS = 12_000
const AT_ONCE = 4
const MB = 1024 * 1024

export interface MediaFile {
  type: string
  bytes: Buffer
}

type Kind = 'image' | 'sticker' | 'video' | 'audio' | 'document'

/** Maximum size of each kind in bytes, as WhatsApp takes them; documents may have 100 MB there, which is too much for our memory. */
const LIMITS: Record<Kind, number> = {
  image: 5 * MB,
  sticker: 0.5 * MB,
  video: 16 * MB,
  audio: 16 * MB,
  document: 25 * MB,
}

/** Bytes of the largest file that a process holds. */
export const LARGEST_FILE = LIMITS.document

/** The types that WhatsApp takes; a document may have any. */
const TYPES: Record<Exclude<Kind, 'document'>, readonly string[]> = {
  image: ['image/jpeg', 'image/png'],
  sticker: ['image/webp'],
  video: ['video/mp4', 'video/3gpp'],
  audio: ['audio/ogg', 'audio/mpeg', 'audio/aac', 'audio/amr', 'audio/mp4'],
}

/** The kind and link of a message of the Cloud API whose file lies behind a link. */
export function linkedMedia(message: {
  type: string
  [part: string]: unknown
}): { kind: Kind; link: string } | undefined {
  if (!Object.hasOwn(LIMITS, message.type)) return undefined
  const { link } = message[message.type] as { link?: string }
  return link === undefined ? undefined : { kind: message.type as Kind, link }
}

/**
 * Downloads the files of messages, as far as size, time, type and the egress guard let it. The bytes decide on the type, not what the
 * server says. Rejects with MEDIA_REFUSED, EGRESS_REFUSED or DELIVERY_TOO_LARGE, final, or with another DELIVERY_… that may be repeated.
 */
export function createFetchMedia({ http }: { http: Pick<HttpClient, 'request'> }) {
  const inTurn = createTurns(AT_ONCE)

  const download = async (kind: Kind, link: string, signal: AbortSignal): Promise<MediaFile> => {
    const { host } = new URL(link)
    const { status, headers, bytes, retryAfterMs } = await http.request(link, {
      method: 'GET',
      headers: { 'user-agent': 'porteiro' },
      wants: 'bytes',
      maxBytes: LIMITS[kind],
      timeoutMs: DOWNLOAD_MS,
      signal,
    })
    if (status !== 200) {
      const final = status < 500 && status !== 408 && status !== 425 && status !== 429
      const facts = { final, status, ...(retryAfterMs !== undefined && { retryAfterMs }) }
      throw undelivered('DELIVERY_STATUS', { host, status }, facts)
    }
    const told = headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
    const type = typeOf(kind, bytes, told)
    const refuse = (reason: string) => undelivered('MEDIA_REFUSED', { host, kind, reason }, { final: true })
    if (bytes.length === 0) throw refuse('it is empty')
    if (type === undefined) throw refuse(`its bytes are none of the types that WhatsApp takes`)
    return { type, bytes }
  }

  return async (kind: Kind, link: string, signal: AbortSignal): Promise<MediaFile> => {
    try {
      return await inTurn(() => download(kind, link, signal))
    } catch (error) {
      // nothing was sent yet, so the error is certain
      throw error instanceof DeliveryError && error.uncertain ? error.with({ uncertain: false }) : error
    }
  }
}

/** Runs so many at once; the others wait in line. */
export function createTurns(atOnce: number) {
  let free = atOnce
  const waiting: (() => void)[] = []
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}

/** Undefined for bytes that are not what the kind needs. */
function typeOf(kind: Kind, bytes: Buffer, told: string): string | undefined {
  if (kind === 'document') {
    const isPdf = bytes.subarray(0, 5).toString('latin1') === '%PDF-'
    if (isPdf) return 'application/pdf'
    if (told === 'application/pdf') return undefined
    return /^[a-z0-9.+-]{1,50}\/[a-z0-9.+-]{1,100}$/.test(told) ? told : 'application/octet-stream'
  }
  const found = sniffed(bytes, kind)
  return found !== undefined && TYPES[kind].includes(found) ? found : undefined
}

/** By the first bytes of each format. */
function sniffed(bytes: Buffer, kind: Kind): string | undefined {
  const text = bytes.subarray(0, 12).toString('latin1')
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (text.startsWith('RIFF') && text.slice(8) === 'WEBP') return 'image/webp'
  if (text.startsWith('OggS')) return 'audio/ogg'
  if (text.startsWith('#!AMR')) return 'audio/amr'
  if (text.startsWith('ID3')) return 'audio/mpeg'
  if (text.slice(4, 8) === 'ftyp') {
    if (kind === 'audio') return 'audio/mp4'
    return text.slice(8, 11) === '3gp' ? 'video/3gpp' : 'video/mp4'
  }
  // sync word of MPEG audio: of layer 0 it is AAC
  const [one = 0, two = 0] = bytes
  if (one === 0xff && (two & 0xe0) === 0xe0) return (two & 0x06) === 0 ? 'audio/aac' : 'audio/mpeg'
  return undefined
}
