import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { fail, reasonOf } from '../platform/errors.ts'

interface Address {
  host: string
  /** 0: any free port. */
  port: number
}

/** Checks of a request's time per limit: a request ends at most that part of the limit late. */
const CHECKS = 10

/**
 * Options of fastify by which a request that has not arrived whole, headers or body, is answered with REQUEST_MALFORMED after
 * `requestMs`. Node alone looks for late requests every 30 s, and gives headers a minute.
 */
export function arrivalLimits(requestMs: number) {
  return {
    requestTimeout: requestMs,
    http: {
      requestTimeout: requestMs,
      headersTimeout: requestMs,
      connectionsCheckingInterval: Math.ceil(requestMs / CHECKS),
    },
  }
}

/**
 * Runs `prepare`, which registers the routes, and then listens; closes the app if either fails. Errors: PORT_IN_USE,
 * PORT_FORBIDDEN, and the errors of `prepare`.
 */
export async function listen(
  app: FastifyInstance,
  { host, port }: Address,
  prepare: () => Promise<void> = async () => {},
) {
  try {
    await prepare()
    await app.listen({ host, port })
  } catch (error) {
    await app.close()
    const { code } = error as NodeJS.ErrnoException
    if (!/^E[A-Z]+$/.test(code ?? '')) throw error
    const taken = code === 'EADDRINUSE'
    throw fail(taken ? 'PORT_IN_USE' : 'PORT_FORBIDDEN', { host, port, reason: reasonOf(error) }, error)
  }
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
}
