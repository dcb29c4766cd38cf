import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { WAV_HEADER_BYTES } from '../platform/wav.ts'

/** Offset of the byte rate in our WAV files. */
const BYTE_RATE_AT = 28

interface KeptRecording {
  name: string
  ms: number
  bytes: number
}

/** The recordings of a call by name. `callId` must be a UUID, because it becomes part of a path. */
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
    kept.push({ name, ...(await lengthOf(join(folder, file))) })
  }
  return kept
}

async function lengthOf(file: string): Promise<{ bytes: number; ms: number }> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const { buffer } = await handle.read(Buffer.alloc(WAV_HEADER_BYTES), 0, WAV_HEADER_BYTES, 0)
    const rate = buffer.readUInt32LE(BYTE_RATE_AT)
    const ms = rate === 0 ? 0 : Math.floor((1000 * (size - WAV_HEADER_BYTES)) / rate)
    return { bytes: size, ms: Math.max(0, ms) }
  } finally {
    await handle.close()
  }
}
