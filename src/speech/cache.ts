import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'

interface CacheOptions {
  directory: string
  /** Maximum size on disk in bytes; 0: memory only. */
  maxBytes: number
  log: Logger
}

/** Synthesised speech by key, on disk and, if used recently, in memory. Removes the least recently used first. */
interface Cache {
  /** The sound, if it is in memory; read-only. */
  recent(key: string): Buffer | undefined
  /** The sound from memory or disk; undefined if it is missing or damaged. Never rejects. */
  get(key: string): Promise<Buffer | undefined>
  /** Stores a sound in memory at once and on disk soon, complete or not at all. A full disk is only logged. */
  put(key: string, pcm: Buffer): void
  /** Bytes and sounds on disk. */
  readonly bytes: number
  readonly count: number
  /** Resolves when everything is written. */
  close(): Promise<void>
}

const MEMORY_BYTES = 8 * 1024 * 1024
/** 16 s; a longer one would push too many others out. */
const MEMORY_ENTRY_BYTES = 256 * 1024
/** Beginning of a file; the SHA-256 of the sound and the sound follow. */
const MAGIC = Buffer.from('PRTS0001')
const HEADER_BYTES = MAGIC.length + 32
const NAME = /^[0-9a-f]{64}\.pcm$/

/** Opens or creates a directory of sounds and removes the remains of interrupted writes. Never rejects. */
export async function openCache({ directory, maxBytes, log }: CacheOptions): Promise<Cache> {
  const disk = maxBytes > 0
  const memory = new Map<string, Buffer>()
  /** Bytes on disk by key, least recently used first. */
  const index = disk ? await scan(directory, log) : new Map<string, number>()
  const pending = new Set<Promise<void>>()
  let memoryBytes = 0
  let bytes = [...index.values()].reduce((sum, size) => sum + size, 0)

  const fileOf = (key: string) => join(directory, `${key}.pcm`)

  function track(work: Promise<void>): void {
    const done = work
      .catch((error) => log.warn({ reason: reasonOf(error) }, 'the speech cache could not be written'))
      .finally(() => pending.delete(done))
    pending.add(done)
  }

  function remember(key: string, pcm: Buffer): void {
    if (pcm.length > MEMORY_ENTRY_BYTES) return
    memoryBytes += pcm.length - (memory.get(key)?.length ?? 0)
    memory.delete(key)
    memory.set(key, pcm)
    for (const [oldest, sound] of memory) {
      if (memoryBytes <= MEMORY_BYTES) break
      memory.delete(oldest)
      memoryBytes -= sound.length
    }
  }

  function touch(key: string): void {
    const size = index.get(key)
    if (size === undefined) return
    index.delete(key)
    index.set(key, size)
  }

  async function drop(key: string): Promise<void> {
    bytes -= index.get(key) ?? 0
    index.delete(key)
    await rm(fileOf(key), { force: true })
  }

  async function load(key: string): Promise<Buffer | undefined> {
    const file = fileOf(key)
    const held = await readFile(file).catch(() => undefined)
    const pcm = held && soundIn(held)
    if (!pcm) {
      log.warn({ entry: key.slice(0, 12) }, 'a damaged entry of the speech cache was removed')
      track(drop(key))
      return undefined
    }
    touch(key)
    remember(key, pcm)
    // the order must survive a restart, and file systems record reads late or never
    const now = new Date()
    track(utimes(file, now, now))
    return pcm
  }

  async function save(key: string, pcm: Buffer): Promise<void> {
    const half = join(directory, `${key}.${randomUUID()}.half`)
    const size = HEADER_BYTES + pcm.length
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await writeFile(half, Buffer.concat([MAGIC, digestOf(pcm), pcm]), { mode: 0o600 })
      await rename(half, fileOf(key))
    } catch (error) {
      await rm(half, { force: true }).catch(() => {})
      throw error
    }
    bytes += size - (index.get(key) ?? 0)
    index.delete(key)
    index.set(key, size)
    await shrink()
  }

  async function shrink(): Promise<void> {
    while (bytes > maxBytes) {
      const [oldest] = index.keys()
      if (oldest === undefined) return
      await drop(oldest)
    }
  }

  await shrink().catch((error) => log.warn({ reason: reasonOf(error) }, 'the speech cache is too large'))

  function recent(key: string): Buffer | undefined {
    const pcm = memory.get(key)
    if (!pcm) return undefined
    memory.delete(key)
    memory.set(key, pcm)
    touch(key)
    return pcm
  }

  return {
    recent,
    get: async (key) => recent(key) ?? (index.has(key) ? load(key) : undefined),
    put(key, pcm) {
      remember(key, pcm)
      if (disk && HEADER_BYTES + pcm.length <= maxBytes) track(save(key, pcm))
    },
    get bytes() {
      return bytes
    },
    get count() {
      return index.size
    },
    async close() {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}

/** The files of the directory, least recently used first. */
async function scan(directory: string, log: Logger): Promise<Map<string, number>> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const names = await readdir(directory)
    const halves = names.filter((name) => name.endsWith('.half'))
    await Promise.all(halves.map((name) => rm(join(directory, name), { force: true })))
    const files = await Promise.all(
      names
        .filter((name) => NAME.test(name))
        .map(async (name) => {
          const { size, atimeMs, mtimeMs } = await stat(join(directory, name))
          return { key: name.slice(0, 64), size, used: Math.max(atimeMs, mtimeMs) }
        }),
    )
    return new Map(files.sort((a, b) => a.used - b.used).map(({ key, size }) => [key, size]))
  } catch (error) {
    log.warn({ directory, reason: reasonOf(error) }, 'the speech cache cannot be read')
    return new Map()
  }
}

function soundIn(held: Buffer): Buffer | undefined {
  if (held.length < HEADER_BYTES || !held.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  const pcm = held.subarray(HEADER_BYTES)
  return digestOf(pcm).equals(held.subarray(MAGIC.length, HEADER_BYTES)) ? pcm : undefined
}

function digestOf(pcm: Buffer): Buffer {
  return createHash('sha256').update(pcm).digest()
}
