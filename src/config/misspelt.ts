import { fail, type PorteiroError } from '../platform/errors.ts'
import { VARIABLES } from './variables.ts'

/** Letters of a setting from which a name that is nearly the same can hardly be meant for another program. */
const LONG_NAME = 8
/** Letters of a setting from which two of them may be wrong. */
const VERY_LONG_NAME = 12
/** What a name begins with that no other program on an ordinary machine has settings for. */
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
/** Common names of other programs for the same thing; told where ours is not set. */
const GUESSES: Record<string, string> = {
  AMQP_URI: 'AMQP_URL',
  DATABASE_URI: 'DATABASE_URL',
}
const UNIT = /_(MS|MILLISECONDS|S|SEC|SECS|SECONDS|MIN|MINUTES|DAYS|MB|BYTES)$/

const SETTINGS = Object.keys(VARIABLES)

/**
 * What was probably meant for Porteiro and is no setting, as CONFIG_UNKNOWN with the variable's name; its value is in
 * none. Environments are shared with whatever else runs on the machine: a name that is only unknown is not told.
 */
export function unknownSettings(environment: Record<string, string | undefined>): PorteiroError[] {
  return Object.entries(environment).flatMap(([name, value]) => {
    if (value === undefined || SETTINGS.includes(name) || isOfLink(name, value)) return []
    const hint = hintOf(name, environment)
    return hint === undefined ? [] : [fail('CONFIG_UNKNOWN', { name, hint })]
  })
}

/** What Docker and Kubernetes tell a container of its neighbours: a broker that is called `amqp` is AMQP_PORT_5672_TCP. */
function isOfLink(name: string, value: string): boolean {
  return (
    /_PORT_\d+_(TCP|UDP)(_|$)|_SERVICE_(HOST|PORT)(_|$)|_ENV_/.test(name) ||
    /^(tcp|udp):\/\//.test(value) ||
    (name.endsWith('_NAME') && value.startsWith('/'))
  )
}

function hintOf(name: string, environment: Record<string, string | undefined>): string | undefined {
  const written = name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')
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

/** How many letters are wrong in what may be this setting; Infinity where it is another name. */
function wrongLetters(written: string, setting: string): number {
  if (setting.length < LONG_NAME) return Number.POSITIVE_INFINITY
  if (written === setting) return 0
  const [parts, its] = [written.split('_'), setting.split('_')]
  if (parts.toSorted().join() === its.toSorted().join()) return 0
  const joined = its.join('')
  // not a short one: LOGLEVEL is what other programs read
  if (joined.length > LONG_NAME + 1 && parts.join('') === joined) return 0
  if (parts.length !== its.length) return Number.POSITIVE_INFINITY
  return parts.reduce((sum, part, index) => sum + wrongInPart(part, its[index]!), 0)
}

/** The shorter a word, the sooner another one is only a letter away: APP_PORT is not API_PORT, but PAI_PORT is. */
function wrongInPart(written: string, part: string): number {
  const wrong = distance(written, part)
  const allowed = part.length < 4 ? 0 : part.length < 7 ? 1 : 2
  const isSwapped = wrong === 1 && [...written].sort().join() === [...part].sort().join()
  return wrong <= allowed || isSwapped ? wrong : Number.POSITIVE_INFINITY
}

/** The same words with one more or less, or with another unit. */
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
