import * as assert from 'uvu/assert'
import { audioFrame, HEADER_BYTES } from '../../src/audiosocket/index.ts'
import { createUpsampler } from '../../src/audiosocket/upsampler.ts'
import { createWideband } from '../../src/simulator/wideband.ts'
import { random } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('wideband')

test("a server's sound at 16 kHz is heard as it was at 8 kHz, to the sample, one frame later", () => {
  const next = random(1)
  const frames = Array.from({ length: 20 }, () =>
    audioFrame(Buffer.from(Int16Array.from({ length: 160 }, () => (next() - 0.5) * 60_000).buffer)),
  )
  const upsampler = createUpsampler(16_000)
  const { narrowed } = createWideband()
  const heard = frames.map((frame) => narrowed(upsampler.of(frame), HEADER_BYTES))
  assert.is(heard[0], undefined)
  for (let at = 1; at < frames.length; at++)
    assert.ok(heard[at]!.equals(frames[at - 1]!.subarray(HEADER_BYTES)), `frame ${at}`)
})

test('what it says has twice the samples, and every second one is the old one', () => {
  const { widened } = createWideband()
  const wide = widened(Buffer.from(Int16Array.of(100, 300, -500).buffer))
  assert.equal([...new Int16Array(wide.buffer, wide.byteOffset, 6)], [50, 100, 200, 300, -100, -500])
})

test.run()
