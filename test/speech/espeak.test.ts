import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { createEspeak, hasEspeak } from '../../src/speech/espeak.ts'
import { createSynthesizer } from '../../src/speech/synthesize.ts'
import { failure } from '../rig/failure.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { rmsOf } from '../rig/speech-peer.ts'

const test = suite('speech: espeak')
const TEXT = 'Boa noite. O apartamento quinhentos e um foi avisado.'
const pt = { locale: 'pt-BR' } as const
const installed = await hasEspeak()
const espeakTest: typeof test | ((title: string) => void) = installed
  ? test
  : (title: string) => test.skip(title, 'espeak-ng is not installed')

async function open(rig: Rig) {
  const scratch = await createTempDir('porteiro-espeak-')
  rig.defer(() => scratch.remove())
  const synthesizer = await createSynthesizer({
    provider: 'auto',
    cacheDir: scratch.path,
    cacheBytes: 0,
    timeoutMs: 60_000,
    concurrency: 4,
    log: silentLog(),
  })
  rig.defer(() => synthesizer.close())
  return synthesizer
}

/** dBFS RMS of the 20 ms stretches that are speech. */
function speechLevel(pcm: Buffer): number {
  const stretches: Buffer[] = []
  for (let at = 0; at < pcm.length; at += 320) stretches.push(pcm.subarray(at, at + 320))
  return rmsOf(Buffer.concat(stretches.filter((stretch) => rmsOf(stretch) > -45)))
}

espeakTest('where it is installed it speaks, as long and as loud as the prompts', async (rig: Rig) => {
  const synthesizer = await open(rig)
  assert.is(synthesizer.provider, 'espeak')
  const pcm = await synthesizer.synthesize(TEXT, pt)
  const ms = pcm.length / 16
  assert.ok(ms > 2500 && ms < 5000, `${ms} ms`)
  assert.ok(Math.abs(speechLevel(pcm) + 18) < 1.5, `${speechLevel(pcm)} dBFS`)
  const peak = Math.max(...Array.from({ length: pcm.length / 2 }, (_, i) => Math.abs(pcm.readInt16LE(i * 2))))
  assert.ok(peak <= 32768 * 10 ** (-3.1 / 20), `peak ${peak}`)
  assert.ok(rmsOf(pcm.subarray(0, 320)) < -50, 'it begins softly')
})

espeakTest('two languages and other words are other sounds; the same words the same', async (rig: Rig) => {
  const synthesizer = await open(rig)
  const [one, same, english, other] = await Promise.all([
    synthesizer.synthesize('101', pt),
    synthesizer.synthesize(' 101 ', pt),
    synthesizer.synthesize('101', { locale: 'en' }),
    synthesizer.synthesize('102', pt),
  ])
  assert.is(one, same)
  assert.not.equal(one, english)
  assert.not.equal(one, other)
})

espeakTest('a text is only spoken: no option, no shell, no phonemes', async (rig: Rig) => {
  const synthesizer = await open(rig)
  for (const text of ['--version', '-f /etc/passwd', '$(sleep 9) `id`', '[[h@l@U', '<speak>a</speak>']) {
    assert.ok((await synthesizer.synthesize(text, pt)).length > 3200, text)
  }
})

espeakTest('a text without anything to say is SPEECH_INVALID', async (rig: Rig) => {
  assert.is((await failure((await open(rig)).synthesize('[ ]', pt))).code, 'SPEECH_INVALID')
})

espeakTest('while a thousand characters are spoken, the loop goes on turning', async (rig: Rig) => {
  const synthesizer = await open(rig)
  let turns = 0
  const turn = () => {
    turns++
    turning = setImmediate(turn)
  }
  let turning = setImmediate(turn)
  rig.defer(() => clearImmediate(turning))
  const pcm = await synthesizer.synthesize('O morador do apartamento ao lado foi avisado. '.repeat(21), pt)
  assert.ok(pcm.length > 30 * 16_000, `${pcm.length / 16_000} s`)
  // once for each second of sound at least: what is made of it is made piece by piece
  assert.ok(turns > pcm.length / 16_000, `${turns} turns`)
})

test('one that hangs is killed when nobody waits any more', async (rig) => {
  const scratch = await createTempDir('porteiro-espeak-')
  rig.defer(() => scratch.remove())
  const binary = join(scratch.path, 'hangs')
  const started = join(scratch.path, 'started')
  await writeFile(binary, `#!/bin/sh\n: > ${started}\nexec sleep 60\n`, { mode: 0o755 })
  const ending = new AbortController()
  const spoken = failure(createEspeak({ binary })(TEXT, 'pt-BR', ending.signal))
  await eventually(() => existsSync(started) || undefined)
  ending.abort()
  assert.is((await spoken).code, 'SPEECH_CANCELLED')
})

test('one that fails or is absent has its code', async () => {
  const { signal } = new AbortController()
  assert.is((await failure(createEspeak({ binary: 'false' })(TEXT, 'en', signal))).code, 'SPEECH_INVALID')
  assert.is((await failure(createEspeak({ binary: 'true' })(TEXT, 'en', signal))).code, 'SPEECH_INVALID')
  assert.is(
    (await failure(createEspeak({ binary: 'espeak-absent' })(TEXT, 'en', signal))).code,
    'SPEECH_UNREACHABLE',
  )
  assert.is(await hasEspeak('espeak-absent'), false)
})

test.run()
