import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fail, reasonOf } from './errors.ts'

/**
 * Creates DATA_DIR and its missing parents, one by one, because Node's recursive mkdir never
 * returns if a parent answers ENOENT to a new name, as /proc does. Errors: DATA_DIR_UNUSABLE.
 */
export async function makeDataDir(directory: string): Promise<void> {
  try {
    await make(directory)
  } catch (cause) {
    throw fail('DATA_DIR_UNUSABLE', { directory, reason: reasonOf(cause) }, cause)
  }
}

async function make(directory: string): Promise<void> {
  const missing = await tryToMake(directory)
  if (missing === undefined) return
  if (dirname(directory) === directory) throw missing
  await make(dirname(directory))
  const still = await tryToMake(directory)
  if (still) throw still
}

/** Resolves with the error if a parent is missing. */
async function tryToMake(directory: string): Promise<Error | undefined> {
  try {
    await mkdir(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return error as Error
    if (code !== 'EEXIST' || !(await stat(directory)).isDirectory()) throw error
  }
  return undefined
}
