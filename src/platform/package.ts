import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The package's directory, with migrations and prompts, whether it runs from its sources or from dist/. */
export const PACKAGE_ROOT = find(import.meta.dirname)

export const VERSION: string = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')).version

function find(directory: string): string {
  const parent = dirname(directory)
  return existsSync(join(directory, 'migrations')) || parent === directory ? directory : find(parent)
}
