import { ApiError, get } from '../api.js'

// as the dialplan of examples/asterisk: a try each second, and a leg shorter than 2 s that the service ended was its answer
// that the call has ended
const RETRY_MS = 1000
const LASTS_MS = 15_000
/** ms for an answer: a service that hangs takes the connection and says nothing. */
const ANSWER_MS = 3000
const SHORT_LEG_MS = 2000
/** Of the WebSocket: gone without a word, and closed because the service goes. */
const LOST_CODES = new Set([1001, 1006, 1012])

/**
 * Whether a line that stood so many ms was lost, which is no hangup and no refusal.
 * @param {{ by: string, code?: number }} how
 * @param {number} stoodMs
 */
export function wasLost({ by, code }, stoodMs) {
  return stoodMs >= SHORT_LEG_MS && (by === 'server-close' || (by === 'lost' && LOST_CODES.has(code ?? 0)))
}

/**
 * Tries to go on with a call whose process is gone. `connect` resolves with true once the line stands, `isWanted` says whether
 * somebody still waits for it. Resolves with `open`, `over` for a call that has ended meanwhile, or `gone` after 15 s.
 * @param {string} call
 * @param {{ connect: () => Promise<boolean>, isWanted: () => boolean }} line
 */
export async function reattach(call, { connect, isWanted }) {
  const end = performance.now() + LASTS_MS
  for (let left = LASTS_MS; left > 0 && isWanted(); left = end - performance.now()) {
    const fate = await fateOf(call, AbortSignal.timeout(Math.min(ANSWER_MS, left)))
    if (fate === 'over') return 'over'
    if (fate === 'awaiting' && isWanted() && (await connect())) return 'open'
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
  return 'gone'
}

/**
 * Asked first: a WebSocket that is refused does not tell why.
 * @param {string} id
 * @param {AbortSignal} signal
 */
async function fateOf(id, signal) {
  try {
    const { call } = await get(`/api/calls/${id}`, { signal })
    if (call?.endedAt) return 'over'
    return call?.awaitingVisitor ? 'awaiting' : 'away'
  } catch (error) {
    return error instanceof ApiError && error.code === 'CALL_UNKNOWN' ? 'over' : 'away'
  }
}
