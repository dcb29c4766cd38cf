/** Meta, as cheap as it can be: signed posts of one message each over connections that stay open. */
import { createHmac, randomUUID } from 'node:crypto'
import { createHistogram } from 'node:perf_hooks'
import { Pool } from 'undici'
import { answer } from './child.ts'

/** ms between two looks which posts are due. */
const TICK_MS = 2

interface Target {
  port: number
  secret: string
  /** How long. */
  ms: number
}

export interface Taken {
  posts: number
  seconds: number
}

let pool: Pool | undefined
let people = 0

answer(
  {
    /** As many as are taken, so many on their way at once. */
    async flood({ inFlight, ms, ...target }: Target & { inFlight: number }): Promise<Taken> {
      const post = await connect(target, inFlight)
      const began = performance.now()
      let posts = 0
      const one = async () => {
        while (performance.now() - began < ms) {
          await post()
          posts++
        }
      }
      await Promise.all(Array.from({ length: inFlight }, one))
      return { posts, seconds: (performance.now() - began) / 1000 }
    },
    /** So many a second, whatever becomes of those before. Times are from when a post was due until it was answered, in ms. */
    async pace({ rate, connections, ms, ...target }: Target & { rate: number; connections: number }) {
      const post = await connect(target, connections)
      const times = createHistogram()
      const posts = Math.floor((rate * ms) / 1000)
      const under: Promise<void>[] = []
      const began = performance.now()
      while (under.length < posts) {
        for (let due: number; under.length < posts; ) {
          due = began + (under.length / rate) * 1000
          if (due > performance.now()) break
          under.push(
            post().then(() => times.record(Math.max(1, Math.round((performance.now() - due) * 1000)))),
          )
        }
        await new Promise((resolve) => setTimeout(resolve, TICK_MS))
      }
      await Promise.all(under)
      return { posts, p50: times.percentile(50) / 1000, p99: times.percentile(99) / 1000 }
    },
  },
  () => pool?.destroy(),
)

/** Each post of it is a new message; anything but 200 ends the measurement. */
async function connect({ port, secret }: Omit<Target, 'ms'>, connections: number) {
  await pool?.close()
  const target = new Pool(`http://127.0.0.1:${port}`, { connections })
  pool = target
  return async () => {
    const body = message(`wamid.${randomUUID()}`)
    const signature = createHmac('sha256', secret).update(body).digest('hex')
    const response = await target.request({
      path: '/webhooks/whatsapp/default',
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` },
      body,
    })
    await response.body.dump()
    if (response.statusCode !== 200) throw new Error(`a post was answered with ${response.statusCode}`)
  }
}

/** Each of somebody else. */
function message(id: string): string {
  const from = `55119${String(80_000_000 + (people++ % 10_000_000))}`
  const timestamp = String(Math.floor(Date.now() / 1000))
  const value = {
    messaging_product: 'whatsapp',
    metadata: { display_phone_number: '551140000000', phone_number_id: '1' },
    contacts: [{ profile: { name: 'Ana' }, wa_id: from }],
    messages: [{ from, id, timestamp, type: 'text', text: { body: 'Sim, pode deixar subir, obrigada' } }],
  }
  return JSON.stringify({
    object: 'whatsapp_business_account',
    entry: [{ id: '1', changes: [{ field: 'messages', value }] }],
  })
}
