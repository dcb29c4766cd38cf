import { z } from 'zod'
import { type ErrorCode, fail, PorteiroError } from '../platform/errors.ts'
import { DeliveryError, type HttpClient, jsonOf, refusalOf } from '../platform/http-client/index.ts'
import type { WhatsAppAccount } from './accounts.ts'
import { createTurns, LARGEST_FILE } from './channels/media.ts'
import { headersOf } from './channels/whatsapp.ts'

/** ms for the description of a file, and for the file itself. */
const DESCRIBE_MS = 10_000
const DOWNLOAD_MS = 30_000
/** Files that this process downloads at once: each is in memory. */
const AT_ONCE = 4
/** Statuses by which providers say that the account has no such file; Meta says 400. */
const UNKNOWN = [400, 404, 410]

const described = z.object({
  url: z.url({ protocol: /^https?$/ }).max(4000),
  mime_type: z.string().max(200).optional().catch(undefined),
  sha256: z.string().max(200).optional().catch(undefined),
  file_size: z.coerce.number().int().nonnegative().optional().catch(undefined),
  id: z.string().max(300).optional().catch(undefined),
})

export type ReceivedMedia = ReturnType<typeof createReceivedMedia>

/**
 * Files that people sent, as the account's provider has them: nothing is kept here. The provider sees the account's own token, so it gives
 * files of that account only. Errors: MEDIA_UNKNOWN, MEDIA_GARBLED, EGRESS_REFUSED, DELIVERY_….
 */
export function createReceivedMedia({ http }: { http: Pick<HttpClient, 'request'> }) {
  const inTurn = createTurns(AT_ONCE)

  const describe = async (account: WhatsAppAccount, media: string) => {
    const { url, phoneId } = account.settings
    const [id, phone] = [media, phoneId].map(encodeURIComponent)
    const { host } = new URL(url)
    const answer = await http.request(
      account.channel === 'unoapi' ? `${url}/${phone}/${id}` : `${url}/${id}?phone_number_id=${phone}`,
      {
        method: 'GET',
        headers: headersOf(account),
        timeoutMs: DESCRIBE_MS,
        trusted: account.trusted,
      },
    )
    check(host, answer.status, media)
    // of a file that it does not have UnoAPI says nothing
    if (answer.body.trim() === '') throw fail('MEDIA_UNKNOWN', { media })
    const read = described.safeParse(jsonOf(answer.body))
    if (!read.success) throw fail('MEDIA_GARBLED', { host })
    return read.data
  }

  const download = async (account: WhatsAppAccount, media: string) => {
    const { url, mime_type: type } = await describe(account, media)
    const { origin, host, protocol } = new URL(url)
    const isOwn = origin === new URL(account.settings.url).origin
    // Meta wants its token at the host of its files too; UnoAPI's may lie in a storage that knows no token
    const needsToken = isOwn || (account.channel === 'whatsapp' && protocol === 'https:')
    const { status, headers, bytes } = await http.request(url, {
      method: 'GET',
      headers: needsToken ? headersOf(account) : { 'user-agent': 'porteiro' },
      wants: 'bytes',
      maxBytes: LARGEST_FILE,
      timeoutMs: DOWNLOAD_MS,
      trusted: account.trusted && isOwn,
    })
    check(host, status, media)
    return { type: type ?? headers['content-type'] ?? 'application/octet-stream', bytes }
  }

  return {
    describe: (account: WhatsAppAccount, media: string) => asked(() => describe(account, media)),
    /** The file, with its type as the provider names it. */
    download: (account: WhatsAppAccount, media: string) =>
      asked(() => inTurn(() => download(account, media))),
  }
}

function check(host: string, status: number, media: string): void {
  if (UNKNOWN.includes(status)) throw fail('MEDIA_UNKNOWN', { media })
  const refused = refusalOf(host, { status })
  if (refused) throw refused
}

/** Errors of deliveries become those of a request. */
async function asked<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    throw new PorteiroError(error.code as ErrorCode, error.details, error)
  }
}
