import { rmSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { undoAtExit } from './at-exit.ts'

/** A DATA_DIR for one run. For root the embedded Postgres runs as nobody, who must be able to enter it. */
export async function createTempDir(prefix: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  // workers of a killed Postgres write for another moment
  const options = { recursive: true, force: true, maxRetries: 10 }
  const forget = undoAtExit(() => rmSync(path, options))
  await chmod(path, 0o711)
  return {
    path,
    async remove() {
      await rm(path, options)
      forget()
    },
  }
}
