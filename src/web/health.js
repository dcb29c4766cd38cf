import { get, may, session, urlOf } from './api.js'
import { effect, signal } from './lib.js'
import { every } from './live/clock.js'

/** ms between two polls while the page is visible. */
const LOOK_MS = 10_000

/**
 * @typedef {object} Process The status of a process; roles that it does not have are left out.
 * @property {boolean} [isThis] it answers this request
 * @property {boolean} [isSilent] its lease has run out
 * @property {string} [node]
 * @property {string[]} [roles]
 * @property {string[]} [lacks]
 * @property {string} [status] running or draining
 * @property {string} [startedAt]
 * @property {string} [seenAt]
 * @property {number} [calls]
 * @property {number} [maxCalls]
 * @property {number} [legs]
 * @property {string} [clickToCall]
 * @property {string} [database]
 * @property {{ lost: number, waiting: number }} [journal]
 * @property {{ open: number, handshaking: number, refused: Record<string, number> }} [audiosocket]
 * @property {{ count: number, p50: number | null, p99: number | null, max: number }} [frameLateness] ms
 * @property {{ state: string, losses: number } | null} [broker] null: none is used
 * @property {{ tts?: Provider, stt?: Provider }} [speech]
 */
/** @typedef {{ provider?: string, paused?: boolean, breaker?: string }} Provider */
/** @typedef {Process & Pick<import('./api-types.d.ts').Status, 'remarks' | 'steps'> & { nodes?: Process[], outcomes?: Record<string, number> }} Status */

/**
 * @template Answer
 * @typedef {Answer & { error?: undefined } | { [Name in keyof Answer]?: undefined } & { error: import('./parts/notice.js').Failed }} Settled
 */
/**
 * @typedef {object} Health The status of the service.
 * @property {Settled<Status>} [status]
 * @property {Settled<import('./api-types.d.ts').Readiness>} [ready]
 * @property {Settled<import('./api-types.d.ts').Page<unknown>>} [dead] whether there are dead letters: one at most
 * @property {number} [at] ms since 1970
 */

/** @type {import('./lib.js').Signal<Health>} */
export const health = signal({})

/** Polls the service's status. */
export async function look() {
  const [status, ready, dead] = await Promise.all([
    settled(get('/api/status')),
    settled(readiness()),
    settled(get('/api/queue/dead?limit=1')),
  ])
  health.value = { status, ready, dead, at: Date.now() }
}

/** @param {Promise<any>} answer */
function settled(answer) {
  return answer.catch((/** @type {unknown} */ error) => ({ error }))
}

/** ms since 1970 by the service's clock, in whole seconds: the browser's may be minutes off. */
export async function serviceTime() {
  const { headers } = await fetch(urlOf('/healthz'))
  return Date.parse(headers.get('date') ?? '')
}

/** A 503 lists what is lacking, so it is no error here. */
async function readiness() {
  const response = await fetch(urlOf('/readyz'))
  return response.json()
}

effect(() => {
  if (session.value && may('read')) void look()
})
every(LOOK_MS, () => {
  if (document.visibilityState === 'visible') void look()
})
