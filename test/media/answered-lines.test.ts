import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { LAWS } from '../../src/media/codec.ts'
import { hearAnswer } from '../rig/answered-line.ts'
import { silence, synth } from '../rig/media-stream.ts'
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

/** The tone of a Brazilian network, so many ms on and off. */
const network = (on: number, off: number, times: number) =>
  Buffer.concat(
    Array.from({ length: times }, () => [
      synth(on, (i) => 0.1 * Math.sin((2 * Math.PI * 425 * i) / 8000)),
      silence(off),
    ]).flat(),
  )

test('a gateway that answers by itself: the ringing tone is nobody, and who says hello after it is a person', async () => {
  const hello = decode(await readFile(join(LINES, 'person-pt-BR-2-1230.ul')))
  const ringing = network(1000, 4000, 2)
  const heard = await hearAnswer(Buffer.concat([ringing, hello, silence(LISTENS_MS)]))
  assert.is(heard.releasedAt, undefined)
  assert.ok(heard.provenAt! > ringing.length / 16, `${heard.provenAt} ms`)
})

test('a busy tone is nobody, and the line is released', async () => {
  const heard = await hearAnswer(network(250, 250, 16))
  assert.ok(heard.releasedAt! <= 8000, `${heard.releasedAt} ms`)
  assert.is(heard.provenAt, undefined)
})

test('there are machines and people among them', async () => {
  const kinds = new Set((await readdir(LINES)).map((name) => name.split('-')[0]))
  assert.ok(kinds.has('machine') && kinds.has('person'))
})

function decode(bytes: Buffer): Buffer {
  return Buffer.from(Int16Array.from(bytes, (code) => LAWS.ulaw[code]!).buffer)
}

test.run()
