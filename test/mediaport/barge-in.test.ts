import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { readChunks } from '../../src/platform/wav.ts'
import { openPort } from '../rig/media-port-rig.ts'
import { addNoise, silence, synth } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'
import { createTwoWireLine } from '../rig/telephone-line.ts'

const test = suite('barge-in')

const PROMPTS = join(import.meta.dirname, '..', '..', 'prompts', 'pt-BR')
/** Other voices than that of the prompts. */
const PEOPLE = ['sample-visitor-name', 'sample-visitor-purpose', 'sample-resident-talk']
const SAID = ['greeting', 'ask-name', 'menu']
const FRAME_MS = 20
const BYTES_MS = 16
const NOISE = -60
/** ms into the prompt at which somebody begins to speak. */
const SPEAKS_AT = 1500
/** ms within which speech counts as such. */
const HEARD_MS = 600

async function readPrompt(id: string): Promise<Buffer> {
  const wav = readChunks(await readFile(join(PROMPTS, `${id}.wav`)))
  assert.not('problem' in wav)
  return (wav as Exclude<typeof wav, { problem: unknown }>).data
}

type Port = Awaited<ReturnType<typeof openPort>>

/** Whatever is played to it comes back, `gain` dB and so many ms later. */
interface Echo {
  gain: number
  ms: number
}

/** When speech began while a prompt was played, by the leg's own clock: `person` speaks over it. */
async function interruptions(
  { arrive }: Port,
  prompt: string,
  echo: Echo,
  person?: Buffer,
): Promise<number[]> {
  const leg = arrive('visitor')
  leg.open().send({ type: 'say', id: 1, pieces: [prompt] })
  const returns = createTwoWireLine({ gain: echo.gain, tilt: 3 })
  const later = [silence(echo.ms)]
  const spoken = person && Buffer.concat([silence(SPEAKS_AT), person])
  const length = (await readPrompt(prompt)).length / BYTES_MS + echo.ms
  for (let ms = 0; ms < length; ms += FRAME_MS) {
    later.push(returns(leg.take(1)))
    const all = Buffer.concat(later.splice(0))
    later.push(all.subarray(FRAME_MS * BYTES_MS))
    const back = addNoise(all.subarray(0, FRAME_MS * BYTES_MS), NOISE, ms)
    leg.speak(
      synth(FRAME_MS, (i) => {
        const at = ms * BYTES_MS + i * 2
        const said = spoken && at + 1 < spoken.length ? spoken.readInt16LE(at) : 0
        return (back.readInt16LE(i * 2) + said) / 32767
      }),
    )
  }
  leg.connection.destroy()
  return leg.facts.flatMap((fact) => (fact.type === 'speech.started' ? [fact.at] : []))
}

/** The speech at this level, dBFS of what is not silence. */
function atLevel(pcm: Buffer, level: number): Buffer {
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length >> 1)
  const loud = samples.filter((sample) => Math.abs(sample) > 300)
  const power = loud.reduce((sum, sample) => sum + sample * sample, 0) / loud.length / 2 ** 30
  const gain = 10 ** (level / 20) / Math.sqrt(power)
  return synth(pcm.length / BYTES_MS, (i) => (samples[i]! * gain) / 32767)
}

for (const gain of [-14, -18, -24, -30]) {
  test(`the echo of our own prompts ${gain} dB below them interrupts none of them`, async (rig) => {
    const port = await openPort(rig)
    for (const prompt of SAID)
      for (const ms of [20, 90, 200])
        assert.equal(await interruptions(port, prompt, { gain, ms }), [], `${prompt}, ${ms} ms later`)
  })
}

test('a person who speaks over a prompt is heard at once, over its echo too', async (rig) => {
  const port = await openPort(rig)
  for (const person of PEOPLE) {
    const pcm = await readPrompt(person)
    for (const level of [-18, -22])
      for (const gain of [-14, -24]) {
        const [first] = await interruptions(port, 'menu', { gain, ms: 90 }, atLevel(pcm, level))
        const title = `${person} at ${level} dBFS over an echo of ${gain} dB: ${first}`
        assert.ok(first !== undefined && first >= SPEAKS_AT - 100 && first < SPEAKS_AT + HEARD_MS, title)
      }
  }
})

test.run()
