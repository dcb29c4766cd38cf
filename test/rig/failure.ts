import * as assert from 'uvu/assert'
import { PorteiroError } from '../../src/platform/errors.ts'

/** The error of ours with which `promise` fails; the test fails when it does not. */
export async function failure(promise: Promise<unknown>): Promise<PorteiroError> {
  const error = await promise.then(
    () => new Error('nothing failed'),
    (thrown) => thrown,
  )
  assert.instance(error, PorteiroError, String(error))
  return error as PorteiroError
}
