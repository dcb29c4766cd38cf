import { access, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SAMPLE_RATE } from '../platform/audio.ts'
import { headerOf, WAV_HEADER_BYTES } from '../platform/wav.ts'

export const CHANNELS = 2
/** Bytes of both channels of one sample. */
const SAMPLE_BYTES = 2 * CHANNELS
/** An unfinished recording of a leg, as createLegRecorder names it. */
const UNFINISHED = /^((?:visitor|resident)-leg)\.wav\.[\da-f-]{36}$/

/**
 * Turns a partial file into the recording `file`, or the next free name with the suffix `-2` and so on. Resolves with the bytes of its
 * sound.
 */
export async function finishLegRecording(half: string, file: string): Promise<number> {
  const handle = await open(half, 'r+')
  let whole: number
  try {
    const { size } = await handle.stat()
    // the length in the header is known only now
    const bytes = Math.max(0, size - WAV_HEADER_BYTES)
    whole = bytes - (bytes % SAMPLE_BYTES)
    await handle.truncate(WAV_HEADER_BYTES + whole)
    await handle.write(headerOf(whole, SAMPLE_RATE, CHANNELS), 0, WAV_HEADER_BYTES, 0)
  } finally {
    await handle.close()
  }
  await rename(half, await freeName(file))
  return whole
}

/**
 * Finishes the recordings of a call whose process was lost, so that later sound becomes a new part. `folder` is the
 * call's, and nobody records there now. Deletes recordings without sound.
 */
export async function finishLegRecordings(folder: string): Promise<void> {
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const file of files) {
    const name = UNFINISHED.exec(file)?.[1]
    if (name === undefined) continue
    const half = join(folder, file)
    if (await hasSound(half)) await finishLegRecording(half, join(folder, `${name}.wav`))
    else await rm(half, { force: true })
  }
}

async function hasSound(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    return (await handle.stat()).size >= WAV_HEADER_BYTES + SAMPLE_BYTES
  } finally {
    await handle.close()
  }
}

/** A leg that reconnected, or a call that outlived its process, has several parts. */
async function freeName(file: string): Promise<string> {
  for (let part = 1; ; part++) {
    const name = part === 1 ? file : file.replace(/\.wav$/, `-${part}.wav`)
    const exists = await access(name).then(
      () => true,
      () => false,
    )
    if (!exists) return name
  }
}
