import { Webhook } from 'standardwebhooks'
import type { Environment } from '../../config/index.ts'
import { importRules, MAIN_TENANT } from '../../directory/index.ts'
import { MAIN_GATE, saveGate } from '../../gates/index.ts'
import { MAIN_INSTANCE } from '../../outbound/index.ts'
import type { RunningService } from '../../roles/index.ts'
import { openHttpPeer, openWhatsAppPeer, type Reaction } from '../../simulator/index.ts'
import { PORTEIRO, type Story } from './story.ts'

const RESIDENT = 'Resident'
const GATE = 'Gate'

const DELIVERY: Partial<Record<string, string>> = { pending: 'queues', sent: 'has sent' }

/** Secrets of the simulated account; not valid anywhere else. */
const TOKEN = 'demo-token'
const APP_SECRET = 'demo-app-secret'

interface DemoMessagesOptions {
  /** The resident's reaction to the question; by default they write SIM. */
  reaction?: (() => Reaction | undefined) | undefined
  /** Delay of the reaction in ms. */
  delayMs?: number
}

/** The peers of the scenario `whatsapp`: a resident who answers in writing, and a gate with a webhook. */
export async function openDemoMessages(
  tell: Story['tell'],
  { reaction = () => ({ type: 'write', text: 'SIM' }), delayMs }: DemoMessagesOptions = {},
) {
  let webhook = ''
  let secret: string | undefined
  const commands: string[] = []
  const opened = Promise.withResolvers<void>()

  const whatsapp = await openWhatsAppPeer({
    token: TOKEN,
    appSecret: APP_SECRET,
    webhook: () => webhook,
    // messages without buttons need no answer
    reaction: ({ buttons }) => (buttons.length > 0 ? reaction() : undefined),
    ...(delayMs !== undefined && { delayMs }),
    onDelivered: ({ text, buttons }) =>
      tell(RESIDENT, `reads “${text}”${buttons.map(({ title }) => ` [${title}]`).join('')}`),
    onReaction: (reacted, status) => {
      const what = reacted.type === 'write' ? `writes “${reacted.text}”` : `taps button ${reacted.button + 1}`
      tell(RESIDENT, status === 200 ? what : `${what}; the webhook answers ${status}`)
    },
  })
  const gate = await openHttpPeer(({ headers, body }) => {
    const signed = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const
    try {
      new Webhook(secret!).verify(
        body.toString(),
        Object.fromEntries(signed.map((name) => [name, String(headers[name])])),
      )
    } catch {
      tell(GATE, 'gets a command with a wrong signature')
      return { status: 401 }
    }
    commands.push(String(headers['webhook-id']))
    tell(GATE, 'gets a signed command and opens')
    opened.resolve()
    return { status: 204 }
  })

  return {
    /** Settings for a service that uses these peers. */
    settings: {
      WHATSAPP_URL: whatsapp.url,
      WHATSAPP_TOKEN: TOKEN,
      WHATSAPP_PHONE_ID: '551140000000',
      WHATSAPP_APP_SECRET: APP_SECRET,
      EGRESS_ALLOW: '127.0.0.1/32',
    } satisfies Environment,

    /**
     * Gives the unit a WhatsApp-only plan and a webhook gate, and reports every delivery. Returns a function that
     * stops.
     */
    async join({ database, ports, outbound }: RunningService, unit: string): Promise<() => void> {
      webhook = `http://127.0.0.1:${ports.api}/webhooks/whatsapp/${MAIN_INSTANCE}`
      const plan = [{ kind: 'whatsapp' as const }]
      await database.transaction((transaction) =>
        importRules(transaction, MAIN_TENANT, { units: { [unit]: { plan } } }),
      )
      const saved = await saveGate(database, MAIN_TENANT, MAIN_GATE, {
        kind: 'webhook',
        url: `${gate.url}/open`,
      })
      secret = saved.secret ?? undefined
      return outbound.subscribe(({ channel, status, attempts }) => {
        if (status === 'processing') return
        const what = channel === 'gate' ? 'the command for the gate' : 'the WhatsApp message'
        const again = attempts > 1 ? ` (attempt ${attempts})` : ''
        tell(PORTEIRO, `${DELIVERY[status] ?? `${status}:`} ${what}${again}`)
      })
    },

    /** Resolves when the gate got the command to open. */
    opened: opened.promise,
    /** Ids of the commands that the gate received. */
    commands: (): readonly string[] => commands,

    async close() {
      await whatsapp.close()
      await gate.close()
    },
  }
}
