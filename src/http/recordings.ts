import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Of the header of a WAV file as ours are: RIFF, fmt of 16 bytes, data. */
const HEADER_BYTES = 44
/** 8 kHz, 16 bit. */
const BYTES_A_MS = 16

export interface KeptRecording {
  name: string
  ms: number
  bytes: number
}

/** What is kept of a call, by name. `callId` must be a UUID: it becomes part of a path. */
export async function listRecordings(directory: string, callId: string): Promise<KeptRecording[]> {
  const folder = join(directory, callId)
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const kept: KeptRecording[] = []
  for (const file of files.sort()) {
    const name = /^([\w-]+)\.wav$/.exec(file)?.[1]
    if (name === undefined) continue
    const { size } = await stat(join(folder, file))
    kept.push({ name, bytes: size, ms: Math.max(0, Math.floor((size - HEADER_BYTES) / BYTES_A_MS)) })
  }
  return kept
}
