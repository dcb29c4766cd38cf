import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspectProcess, isRunning } from './processes.ts'

/**
 * Who uses a server: a file each in `directory`, named after its process. Kept so that the last one out stops the
 * server: neither may `porteiro migrate` take it from the service that joined it, nor a killed process leave it behind.
 */
export async function occupy(directory: string): Promise<{ leave(): Promise<{ last: boolean }> }> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const name = `${process.pid}_${inspectProcess(process.pid)?.startedAt ?? ''}_${randomUUID()}`
  await writeFile(join(directory, name), '')
  return {
    leave: async () => {
      await rm(join(directory, name), { force: true })
      const last = (await countOccupants(directory)) === 0
      if (last) await rm(directory, { recursive: true, force: true })
      return { last }
    },
  }
}

async function countOccupants(directory: string): Promise<number> {
  let count = 0
  for (const name of await readdir(directory).catch(() => [])) {
    const [pid, startedAt] = name.split('_')
    if (isRunning(Number(pid), startedAt ?? '')) count += 1
    else await rm(join(directory, name), { force: true })
  }
  return count
}
