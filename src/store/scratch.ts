import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A DATA_DIR for one run. The embedded Postgres of a root user runs as nobody, who must be able to pass through it. */
export async function createScratch(prefix: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  await chmod(path, 0o711)
  // workers of a Postgres that was killed write for a moment more
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 10 }) }
}
