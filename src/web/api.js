import { signal } from './lib.js'

/** Who is logged in: `{ name, tenantId, scopes, csrf }`, null for nobody, undefined while it is not known yet. */
export const session = signal(undefined)

/** An answer of 400 and above, or none at all (`code` OFFLINE, status 0). */
export class ApiError extends Error {
  constructor({ code, message, details = {} }, status) {
    super(message)
    this.code = code
    this.details = details
    this.status = status
  }
}

/**
 * The API as the page uses it. Cookies go along by themselves; whatever changes something carries the session's token. Rejects
 * with ApiError (OFFLINE too where `signal` ends the wait for an answer); a session that has ended leads to the login.
 */
async function call(method, path, body, signal) {
  const headers = { accept: 'application/json' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (method !== 'GET' && session.value) headers['x-csrf-token'] = session.value.csrf
  let response
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: 'same-origin',
      ...(signal && { signal }),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  } catch (error) {
    throw new ApiError({ code: 'OFFLINE', message: String(error.message ?? error) }, 0)
  }
  const type = response.headers.get('content-type') ?? ''
  const answer = type.includes('json') ? await response.json() : await response.text()
  if (response.ok) return answer
  const told = answer?.error ?? { code: `HTTP_${response.status}`, message: response.statusText }
  if (response.status === 401 && path !== '/api/session') session.value = null
  throw new ApiError(told, response.status)
}

export const get = (path, { signal } = {}) => call('GET', path, undefined, signal)
export const post = (path, body = {}) => call('POST', path, body)
export const put = (path, body = {}) => call('PUT', path, body)
export const patch = (path, body = {}) => call('PATCH', path, body)
export const remove = (path) => call('DELETE', path)

export async function login(key) {
  session.value = await call('POST', '/api/session', { key })
}

/** The session that the cookie stands for, where there is one. */
export async function resume() {
  session.value = await call('GET', '/api/session').catch((error) => {
    if (error.status === 401 || error.status === 403) return null
    throw error
  })
}

export async function logout() {
  await call('DELETE', '/api/session').catch(() => {})
  session.value = null
}

/** Whether the session may do what needs this scope. */
export function may(scope) {
  const held = session.value?.scopes ?? []
  if (scope === 'read') return held.length > 0
  return held.includes('admin') || (scope === 'operate' && held.includes('operate'))
}

/** A path with its query; what is undefined, null or empty is left out. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  )
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
}
