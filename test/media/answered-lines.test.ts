import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { LAWS } from '../../src/media/codec.ts'
import { hearAnswer } from '../rig/answered-line.ts'
import { silence } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('answered lines', { timeout: 60_000 })

const LINES = fileURLToPath(new URL('../fixtures/answers', import.meta.url))
/** ms of silence after the first words: whoever said them listens. */
const LISTENS_MS = 4000

for (const file of (await readdir(LINES)).filter((name) => name.endsWith('.ul'))) {
  const endMs = Number(/(\d+)\.ul$/.exec(file)![1])
  const isMachine = file.startsWith('machine')
  test(`${file}: ${isMachine ? 'released within 8 s, undecided' : 'greeted within 600 ms of the first words'}`, async () => {
    const heard = await hearAnswer(
      Buffer.concat([decode(await readFile(join(LINES, file))), silence(LISTENS_MS)]),
    )
    if (isMachine) {
      assert.ok(heard.releasedAt !== undefined && heard.releasedAt <= 8000, `${heard.releasedAt} ms`)
      assert.is(heard.decided, false)
    } else {
      assert.is(heard.releasedAt, undefined)
      assert.ok(heard.spokeAt! - endMs <= 600, `${heard.spokeAt! - endMs} ms`)
      assert.ok(heard.provenAt !== undefined)
    }
  })
}

test('there are machines and people among them', async () => {
  const kinds = new Set((await readdir(LINES)).map((name) => name.split('-')[0]))
  assert.ok(kinds.has('machine') && kinds.has('person'))
})

function decode(bytes: Buffer): Buffer {
  return Buffer.from(Int16Array.from(bytes, (code) => LAWS.ulaw[code]!).buffer)
}

test.run()
