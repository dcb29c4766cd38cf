import { randomUUID } from 'node:crypto'
import { readdirSync, rmSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspectProcess, isRunning } from './processes.ts'

export interface ServerUser {
  leave(): Promise<{ last: boolean }>
  /** The same for a process that is ending. */
  leaveSync(): { last: boolean }
}

/**
 * Registers a user of a server: a file in `directory`, named after its process. So the last user stops the
 * server: `porteiro migrate` must not stop it under the service, and a killed process must not leave it behind.
 */
export async function registerUser(directory: string): Promise<ServerUser> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const name = `${process.pid}_${inspectProcess(process.pid)?.startedAt ?? ''}_${randomUUID()}`
  await writeFile(join(directory, name), '')
  return {
    leave: async () => {
      await rm(join(directory, name), { force: true })
      const last = (await countUsers(directory)) === 0
      if (last) await rm(directory, { recursive: true, force: true })
      return { last }
    },
    leaveSync: () => {
      rmSync(join(directory, name), { force: true })
      const last = !readdirSync(directory).some(isUser)
      if (last) rmSync(directory, { recursive: true, force: true })
      return { last }
    },
  }
}

function isUser(name: string): boolean {
  const [pid, startedAt] = name.split('_')
  return isRunning(Number(pid), startedAt ?? '')
}

async function countUsers(directory: string): Promise<number> {
  let count = 0
  for (const name of await readdir(directory).catch(() => [])) {
    if (isUser(name)) count += 1
    else await rm(join(directory, name), { force: true })
  }
  return count
}
