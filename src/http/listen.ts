import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { fail, reasonOf } from '../platform/errors.ts'

interface Address {
  host: string
  /** 0: any that is free. */
  port: number
}

/**
 * Lets an app listen, once `prepare` has put its routes in place; closes it where either fails. Errors: PORT_IN_USE,
 * PORT_FORBIDDEN, and what `prepare` throws.
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
