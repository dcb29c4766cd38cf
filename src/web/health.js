import { get } from './api.js'
import { signal } from './lib.js'

/** What the service says of itself: `{ status, ready, dead, at }`; each may be `{ error }` instead. */
export const health = signal({})

/** Looks at the service itself. */
export async function look() {
  const told = async (ask) =>
    ask().then(
      (value) => value,
      (error) => ({ error }),
    )
  const [status, ready, dead] = await Promise.all([
    told(() => get('/api/status')),
    told(readiness),
    told(() => get('/api/queue/dead?limit=1')),
  ])
  health.value = { status, ready, dead, at: Date.now() }
}

/** ms since 1970 by the service's clock, in whole seconds: the browser's may be minutes off. */
export async function serviceTime() {
  const { headers } = await fetch('/healthz')
  return Date.parse(headers.get('date'))
}

/** 503 says what is lacking, so it is no error here. */
async function readiness() {
  const response = await fetch('/readyz')
  return response.json()
}
