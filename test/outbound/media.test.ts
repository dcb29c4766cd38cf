import * as assert from 'uvu/assert'
import { createAccounts } from '../../src/outbound/accounts.ts'
import { createFetchMedia } from '../../src/outbound/channels/media.ts'
import { createWhatsAppSender } from '../../src/outbound/channels/whatsapp.ts'
import { saveInstance } from '../../src/outbound/sql/instances.ts'
import { silentLog } from '../../src/platform/log.ts'
import { first, messageOf, openClient, startPeer, undeliveredBy } from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { suite } from '../rig/rig.ts'

const test = suite('outbound: media behind links')

const PNG = Buffer.from('\x89PNG\r\n\x1a\nthe rest of it', 'latin1')
const JPEG = Buffer.from('\xff\xd8\xff\xe0 the rest', 'latin1')
const { signal } = new AbortController()

test('a file is uploaded, and the message names it instead of the link', async (rig) => {
  const database = await openTestDatabase(rig)
  const files = await startPeer(rig, (_, response) =>
    // the server's word for it does not count
    response.writeHead(200, { 'content-type': 'text/plain' }).end(PNG),
  )
  const meta = await startPeer(rig, ({ path }, response) => {
    const answer = path.endsWith('/media') ? { id: 'media-7' } : { messages: [{ id: 'wamid.1' }] }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  const account = { channel: 'whatsapp' as const, secrets: { token: 't' } }
  const settings = { url: `${meta.url}/v20.0`, phoneId: '555' }
  await saveInstance(database, 'default', {
    ...account,
    id: 'default',
    settings: { ...settings, uploads: true },
  })
  await saveInstance(database, 'default', { ...account, id: 'plain', settings })
  const sender = createWhatsAppSender({
    accounts: createAccounts({ database, own: {} }),
    http: openClient(rig),
    recording: async () => undefined,
    encode: async () => undefined,
    providerIdOf: async (id) => id,
    log: silentLog(),
  })
  const image = { link: `${files.url}/a.png`, caption: 'x' }
  const body = { type: 'cloud', message: { type: 'image', image } }
  const message = (instanceId: string) =>
    messageOf({ channel: 'whatsapp', to: '+5511987654321', instanceId, body })
  assert.is((await sender.send(message('default'), first)).providerId, 'wamid.1')
  const [upload, sent] = meta.received
  assert.is(upload!.path, '/v20.0/555/media')
  assert.match(upload!.body, /name="type"\r\n\r\nimage\/png\r\n/)
  assert.match(upload!.body, /the rest of it/)
  assert.equal(JSON.parse(sent!.body).image, { id: 'media-7', caption: 'x' })
  await sender.send(message('plain'), first)
  assert.equal(JSON.parse(meta.received[2]!.body).image, image)
  assert.is(files.received.length, 1)
})

test('files that hang, lie or lead elsewhere are refused, and what may pass is repeated', async (rig) => {
  const big = Buffer.alloc(600_000, 1)
  const files = await startPeer(rig, ({ path }, response) => {
    switch (path) {
      case '/announced':
        return response.writeHead(200, { 'content-length': 50_000_000 }).flushHeaders()
      case '/endless': {
        response.writeHead(200)
        const more = () => {
          while (!response.destroyed && response.write(big));
        }
        response.on('drain', more)
        return more()
      }
      case '/short':
        response.writeHead(200, { 'content-length': 1000 }).write(PNG)
        return response.socket!.end()
      case '/html':
        return response.writeHead(200, { 'content-type': 'image/png' }).end('<html>log in</html>')
      case '/pdf':
        return response.writeHead(200, { 'content-type': 'application/pdf' }).end('<html>log in</html>')
      case '/empty':
        return response.writeHead(200, { 'content-type': 'image/png' }).end()
      case '/private':
        return response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end()
      case '/gone':
        return response.writeHead(404).end()
      case '/busy':
        return response.writeHead(503, { 'retry-after': '7' }).end()
      case '/hangs':
        return response.writeHead(200).write(PNG)
      default:
        return response.writeHead(200).end(JPEG)
    }
  })
  const fetchMedia = createFetchMedia({ http: openClient(rig) })
  const refusal = async (path: string, kind: 'image' | 'sticker' | 'document' = 'image') => {
    const { code, final, uncertain } = await undeliveredBy(fetchMedia(kind, files.url + path, signal))
    assert.is(uncertain, false)
    return [code, final]
  }
  assert.equal(await refusal('/announced'), ['DELIVERY_TOO_LARGE', true])
  assert.equal(await refusal('/endless', 'sticker'), ['DELIVERY_TOO_LARGE', true])
  assert.equal(await refusal('/short'), ['DELIVERY_RESET', false])
  assert.equal(await refusal('/html'), ['MEDIA_REFUSED', true])
  assert.equal(await refusal('/pdf', 'document'), ['MEDIA_REFUSED', true])
  assert.equal(await refusal('/empty'), ['MEDIA_REFUSED', true])
  assert.equal(await refusal('/picture', 'sticker'), ['MEDIA_REFUSED', true])
  assert.equal(await refusal('/private'), ['EGRESS_REFUSED', true])
  assert.equal(await refusal('/gone'), ['DELIVERY_STATUS', true])
  const busy = await undeliveredBy(fetchMedia('image', `${files.url}/busy`, signal))
  assert.equal([busy.final, busy.retryAfterMs], [false, 7000])
  // more than go at once; an attempt that is aborted makes room
  const ending = new AbortController()
  const hanging = Array.from({ length: 6 }, () =>
    undeliveredBy(fetchMedia('image', `${files.url}/hangs`, ending.signal)),
  )
  await files.count(14)
  ending.abort()
  for (const { code, uncertain } of await Promise.all(hanging))
    assert.equal([code, uncertain], ['DELIVERY_CANCELLED', false])
  assert.equal(await fetchMedia('image', `${files.url}/picture`, signal), { type: 'image/jpeg', bytes: JPEG })
  assert.is((await fetchMedia('document', `${files.url}/picture`, signal)).type, 'application/octet-stream')
})

test.run()
