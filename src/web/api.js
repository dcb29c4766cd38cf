import { signal } from './lib.js'

/**
 * Who is logged in: `{ name, tenantId, scopes, csrf }`, null for nobody, undefined while it is not known yet.
 * @type {import('./lib.js').Signal<import('./api-types.d.ts').Session | null | undefined>}
 */
export const session = signal(undefined)

/** The path under which a proxy serves Porteiro, such as `/porteiro`, by the URL of this file; usually empty. */
const BASE = new URL('..', import.meta.url).pathname.slice(0, -1)

/**
 * The URL of a path of the service.
 * @param {string} path
 */
export const urlOf = (path) => BASE + path

/** An answer of 400 and above, or none at all (`code` OFFLINE, status 0). */
export class ApiError extends Error {
  /**
   * @param {{ code: string, message: string, details?: Record<string, unknown> }} error
   * @param {number} status
   */
  constructor({ code, message, details = {} }, status) {
    super(message)
    this.code = code
    this.details = details
    this.status = status
  }
}

/**
 * The API as the page uses it. The browser adds cookies; requests that change something carry the session's token. Rejects
 * with ApiError (OFFLINE too where `signal` ends the wait for an answer); a session that has ended leads to the login.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 */
async function call(method, path, body, signal) {
  /** @type {Record<string, string>} */
  const headers = { accept: 'application/json' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (method !== 'GET' && session.value) headers['x-csrf-token'] = session.value.csrf
  /** @type {Response} */
  let response
  try {
    response = await fetch(urlOf(path), {
      method,
      headers,
      credentials: 'same-origin',
      ...(signal && { signal }),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  } catch (error) {
    throw new ApiError({ code: 'OFFLINE', message: reasonOf(error) }, 0)
  }
  const type = response.headers.get('content-type') ?? ''
  const answer = type.includes('json') ? await response.json() : await response.text()
  if (response.ok) return answer
  const problem = answer?.error ?? { code: `HTTP_${response.status}`, message: response.statusText }
  if (response.status === 401 && path !== '/api/session') session.value = null
  throw new ApiError(problem, response.status)
}

/**
 * @param {string} path
 * @param {{ signal?: AbortSignal }} [options]
 */
export const get = (path, { signal } = {}) => call('GET', path, undefined, signal)
/**
 * @param {string} path
 * @param {object} [body]
 */
export const post = (path, body = {}) => call('POST', path, body)
/**
 * @param {string} path
 * @param {object} [body]
 */
export const put = (path, body = {}) => call('PUT', path, body)
/**
 * @param {string} path
 * @param {object} [body]
 */
export const patch = (path, body = {}) => call('PATCH', path, body)
/** @param {string} path */
export const remove = (path) => call('DELETE', path)

/** @param {string} key */
export async function login(key) {
  session.value = await call('POST', '/api/session', { key })
}

/** The session that the cookie stands for, where there is one. */
export async function resume() {
  session.value = await call('GET', '/api/session').catch((/** @type {ApiError} */ error) => {
    if (error.status === 401 || error.status === 403) return null
    throw error
  })
}

export async function logout() {
  await call('DELETE', '/api/session').catch(() => {})
  session.value = null
}

/**
 * Whether the session may do what needs this scope.
 * @param {import('./api-types.d.ts').Scope} scope
 */
export function may(scope) {
  const held = session.value?.scopes ?? []
  if (scope === 'read') return held.length > 0
  return held.includes('admin') || (scope === 'operate' && held.includes('operate'))
}

/**
 * A path with its query; values that are undefined, null or empty are left out.
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined>} query
 */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  )
  if (given.length === 0) return path
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}

/**
 * The message of anything that was thrown.
 * @param {unknown} error
 */
export function reasonOf(error) {
  return error instanceof Error ? error.message : String(error)
}
