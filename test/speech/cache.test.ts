import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { openCache } from '../../src/speech/cache.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { keepingLog } from '../rig/speech-peer.ts'

const test = suite('speech: cache')
const keyOf = (n: number) => n.toString(16).padStart(64, '0')
const HEADER = 40

async function directoryFor(rig: Rig): Promise<string> {
  const scratch = await createTempDir('porteiro-cache-')
  rig.defer(() => scratch.remove())
  return join(scratch.path, 'speech')
}

const open = (directory: string, maxBytes = 1_000_000, log = silentLog()) =>
  openCache({ directory, maxBytes, log })

test('what was put is there at once, and on disk after a restart, for its owner alone', async (rig) => {
  const directory = await directoryFor(rig)
  const pcm = randomBytes(30_000)
  const cache = await open(directory)
  cache.put(keyOf(1), pcm)
  assert.is(cache.recent(keyOf(1)), pcm)
  await cache.close()
  const file = join(directory, `${keyOf(1)}.pcm`)
  assert.is((await stat(file)).mode & 0o777, 0o600)
  const again = await open(directory)
  assert.equal(await again.get(keyOf(1)), pcm)
  assert.is(await again.get(keyOf(2)), undefined)
  await again.close()
})

test('twenty sounds of 3 s come back from disk', async (rig) => {
  const directory = await directoryFor(rig)
  const cache = await open(directory, 10_000_000)
  const sounds = Array.from({ length: 20 }, () => randomBytes(48_000))
  for (const [n, sound] of sounds.entries()) cache.put(keyOf(n), sound)
  await cache.close()
  const again = await open(directory, 10_000_000)
  for (const [n, sound] of sounds.entries()) assert.equal(await again.get(keyOf(n)), sound)
  await again.close()
})

test('it stays within its size, and what was not used longest goes first', async (rig) => {
  const directory = await directoryFor(rig)
  const size = 10_000
  const cache = await open(directory, 3 * (size + HEADER))
  for (const n of [1, 2, 3]) {
    cache.put(keyOf(n), randomBytes(size))
    await cache.close()
  }
  assert.ok(cache.recent(keyOf(1)))
  cache.put(keyOf(4), randomBytes(size))
  await cache.close()
  assert.equal(
    (await readdir(directory)).sort(),
    [1, 3, 4].map((n) => `${keyOf(n)}.pcm`),
  )
  for (let n = 5; n < 60; n++) cache.put(keyOf(n), randomBytes(size))
  await cache.close()
  assert.is(cache.count, 3)
  assert.is(cache.bytes, 3 * (size + HEADER))
  assert.is((await readdir(directory)).length, 3)
})

test('a smaller limit holds from the next start, and the order of use survives', async (rig) => {
  const directory = await directoryFor(rig)
  const cache = await open(directory)
  for (const n of [1, 2, 3]) cache.put(keyOf(n), randomBytes(10_000))
  await cache.close()
  for (const n of [1, 2, 3]) {
    const time = new Date(Date.now() - 1_000_000 + (n === 1 ? 9 : n) * 1000)
    await utimes(join(directory, `${keyOf(n)}.pcm`), time, time)
  }
  const again = await open(directory, 2 * (10_000 + HEADER))
  assert.equal(
    (await readdir(directory)).sort(),
    [1, 3].map((n) => `${keyOf(n)}.pcm`),
  )
  await again.close()
})

for (const [title, damage] of Object.entries<(file: string) => Promise<void>>({
  'cut short': (file) => truncate(file, 5000),
  empty: (file) => truncate(file, 0),
  'changed in one bit': async (file) => {
    const bytes = await readFile(file)
    bytes[bytes.length - 1]! ^= 1
    await writeFile(file, bytes)
  },
  foreign: (file) => writeFile(file, 'RIFF no sound of ours, but as long as you like'.repeat(10)),
})) {
  test(`an entry that is ${title} is discarded and can be put again`, async (rig) => {
    const directory = await directoryFor(rig)
    const pcm = randomBytes(10_000)
    const first = await open(directory)
    first.put(keyOf(1), pcm)
    await first.close()
    await damage(join(directory, `${keyOf(1)}.pcm`))
    const { log, lines } = keepingLog()
    const cache = await open(directory, 1_000_000, log)
    assert.is(await cache.get(keyOf(1)), undefined)
    await cache.close()
    assert.is(lines.length, 1)
    assert.equal(await readdir(directory), [])
    assert.is(cache.bytes, 0)
    cache.put(keyOf(1), pcm)
    await cache.close()
    assert.equal(await (await open(directory)).get(keyOf(1)), pcm)
    await cache.close()
  })
}

test('an interrupted write leaves nothing, and files of others are left alone', async (rig) => {
  const directory = await directoryFor(rig)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, `${keyOf(1)}.1234.half`), 'half')
  await writeFile(join(directory, 'README'), 'ours')
  const cache = await open(directory)
  assert.equal(await readdir(directory), ['README'])
  assert.is(cache.count, 0)
})

test('a directory that cannot be used costs log lines, not speech', async (rig) => {
  const directory = await directoryFor(rig)
  await mkdir(join(directory, '..'), { recursive: true })
  await writeFile(directory, 'a file in its place')
  const { log, lines } = keepingLog()
  const cache = await open(directory, 1_000_000, log)
  const pcm = randomBytes(1000)
  cache.put(keyOf(1), pcm)
  await cache.close()
  assert.is(cache.recent(keyOf(1)), pcm)
  assert.is(lines.length, 2)
  assert.is(cache.count, 0)
})

test('a size of 0 keeps nothing on disk', async (rig) => {
  const directory = await directoryFor(rig)
  const cache = await open(directory, 0)
  cache.put(keyOf(1), randomBytes(1000))
  await cache.close()
  assert.ok(cache.recent(keyOf(1)))
  assert.is(await stat(directory).catch(() => 'absent'), 'absent')
})

test.run()
