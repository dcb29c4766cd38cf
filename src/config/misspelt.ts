import { fail, type PorteiroError } from '../platform/errors.ts'
import { VARIABLES } from './variables.ts'

/** From this length on, a nearly equal name is hardly meant for another program. */
const LONG_NAME = 8
/** From this length on, two letters may be wrong. */
const VERY_LONG_NAME = 12
/** Prefixes that no other program on an ordinary machine uses for settings. */
const FAMILIES = [
  'AMQP',
  'ARI',
  'AUDIOSOCKET',
  'CLICKTOCALL',
  'EGRESS',
  'HANGUP',
  'LOOPBACK',
  'REATTACH',
  'WHATSAPP',
]
/** Common names of other programs for the same setting; reported if ours is not set. */
const GUESSES: Record<string, string> = {
  AMQP_URI: 'AMQP_URL',
  DATABASE_URI: 'DATABASE_URL',
}
/** Settings of UnoAPI and of queues for which something else takes their place here; reported so that nobody waits for their effect. */
const REPLACED: Record<string, string> = {
  QUEUE_BACKEND: 'the queue is always in Postgres (DATABASE_URL).',
  QUEUE_SQLITE_DB_PATH: 'the queue is in Postgres (DATABASE_URL; unset: one in DATA_DIR).',
  USE_REDIS: 'the queue is always in Postgres (DATABASE_URL), and no Redis is needed.',
  REDIS_URL: 'the queue is in Postgres (DATABASE_URL), and no Redis is needed.',
  UNOAPI_AUTH_TOKEN:
    'clients send a key of Porteiro as token (API_KEY, or npx porteiro keys create); the token of your UnoAPI is WHATSAPP_TOKEN.',
  UNOAPI_URL: 'the URL of your UnoAPI is WHATSAPP_URL, with WHATSAPP_PROVIDER=unoapi.',
  UNOAPI_HEADER_NAME: 'keys come in the header Authorization.',
  UNOAPI_QUEUE_WEBHOOK_STATUS_FAILED: 'the queue is always called webhook.status.failed.',
  WEBHOOK_TIMEOUT_MS: 'a post has 10 s.',
}
const UNIT = /_(MS|MILLISECONDS|S|SEC|SECS|SECONDS|MIN|MINUTES|DAYS|MB|BYTES)$/

const SETTINGS = Object.keys(VARIABLES)

/**
 * Variables that were probably meant for Porteiro but are not settings, as CONFIG_UNKNOWN with the variable's name,
 * never its value. Other programs share the environment, so a merely unknown name is not reported.
 */
export function unknownSettings(environment: Record<string, string | undefined>): PorteiroError[] {
  return Object.entries(environment).flatMap(([name, value]) => {
    if (value === undefined || SETTINGS.includes(name) || isOfLink(name, value)) return []
    const hint = hintOf(name, environment)
    return hint === undefined ? [] : [fail('CONFIG_UNKNOWN', { name, hint })]
  })
}

/** A variable by which Docker and Kubernetes announce other containers: a broker called `amqp` is AMQP_PORT_5672_TCP. */
function isOfLink(name: string, value: string): boolean {
  return (
    /_PORT_\d+_(TCP|UDP)(_|$)|_SERVICE_(HOST|PORT)(_|$)|_ENV_/.test(name) ||
    /^(tcp|udp):\/\//.test(value) ||
    (name.endsWith('_NAME') && value.startsWith('/'))
  )
}

function hintOf(name: string, environment: Record<string, string | undefined>): string | undefined {
  const written = name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')
  const replaced = REPLACED[name]
  if (replaced !== undefined) return environment[name]?.trim() ? replaced : undefined
  const guess = GUESSES[written]
  if (guess !== undefined) return environment[guess]?.trim() ? undefined : meaning([guess])
  const [near] = SETTINGS.map((setting) => ({ setting, wrong: wrongLetters(written, setting) }))
    .filter(({ setting, wrong }) => wrong <= (setting.length < VERY_LONG_NAME ? 1 : 2))
    .sort((one, other) => one.wrong - other.wrong)
  if (near) return meaning([near.setting])
  const family = written.split('_', 1)[0]!
  if (!FAMILIES.includes(family) || written === family) return undefined
  const alike = SETTINGS.filter((setting) => setting.startsWith(`${family}_`) && isAlike(written, setting))
  return alike.length === 1 || alike.length === 2
    ? meaning(alike)
    : `.env.example has those that begin with ${family}_.`
}

function meaning(settings: readonly string[]): string {
  return `did you mean ${settings.join(' or ')}?`
}

/** Number of wrong letters in a possible spelling of a setting; Infinity for another name. */
function wrongLetters(written: string, setting: string): number {
  if (setting.length < LONG_NAME) return Number.POSITIVE_INFINITY
  if (written === setting) return 0
  const [parts, its] = [written.split('_'), setting.split('_')]
  if (parts.toSorted().join() === its.toSorted().join()) return 0
  const joined = its.join('')
  // not for short names: other programs read LOGLEVEL
  if (joined.length > LONG_NAME + 1 && parts.join('') === joined) return 0
  if (parts.length !== its.length) return Number.POSITIVE_INFINITY
  return parts.reduce((sum, part, index) => sum + wrongInPart(part, its[index]!), 0)
}

/** Short words must match more closely: APP_PORT is not API_PORT, but PAI_PORT is. */
function wrongInPart(written: string, part: string): number {
  const wrong = distance(written, part)
  const allowed = part.length < 4 ? 0 : part.length < 7 ? 1 : 2
  const isSwapped = wrong === 1 && [...written].sort().join() === [...part].sort().join()
  return wrong <= allowed || isSwapped ? wrong : Number.POSITIVE_INFINITY
}

/** Whether the words are the same except for one word or another unit. */
function isAlike(written: string, setting: string): boolean {
  if (written.replace(UNIT, '') === setting.replace(UNIT, '')) return true
  const [parts, its] = [written.split('_'), setting.split('_')]
  const has = (all: readonly string[], some: readonly string[]) => some.every((part) => all.includes(part))
  return parts.length > 1 && its.length > 1 && (has(its, parts) || has(parts, its))
}

/** Letters to insert, delete, replace, or swap with their neighbour, each once. */
function distance(one: string, other: string): number {
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, column) => column)
  for (let row = 1; row <= one.length; row++) {
    const now = [row]
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1]
      const isSwap = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      now[column] = Math.min(
        last[column]! + 1,
        now[column - 1]! + 1,
        last[column - 1]! + (isSame ? 0 : 1),
        isSwap && row > 1 && column > 1 ? before[column - 2]! + 1 : Number.POSITIVE_INFINITY,
      )
    }
    before = last
    last = now
  }
  return last[other.length]!
}
