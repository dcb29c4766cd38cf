/**
 * Renders prompts/catalogue.json to prompts/<locale>/<id>.wav with espeak-ng, which must be installed (Debian: apt install
 * espeak-ng). The same catalogue and espeak-ng give the same bytes. `node scripts/render-prompts.ts [id…]`
 */
import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CATALOGUE, isPromptId, PROMPT_IDS, parseWav, writeWav } from '../src/media/index.ts'
import { type Locale, SAMPLE_RATE } from '../src/platform/audio.ts'
import { ESPEAK_VOICES, level, pcmFrom, resample, samplesOf } from '../src/speech/index.ts'

const root = join(import.meta.dirname, '..', 'prompts')
const wanted = process.argv.slice(2)
for (const id of wanted) if (!isPromptId(id)) throw new Error(`${id} is not in the catalogue`)
const ids = wanted.length > 0 ? PROMPT_IDS.filter((id) => wanted.includes(id)) : PROMPT_IDS

for (const locale of Object.keys(ESPEAK_VOICES) as Locale[]) {
  const directory = join(root, locale)
  await mkdir(directory, { recursive: true })
  let bytes = 0
  let longest = { id: '', ms: 0 }
  for (const id of ids) {
    const pcm = await render(CATALOGUE[id][locale], locale)
    await writeWav(join(directory, `${id}.wav`), pcm)
    bytes += pcm.length + 44
    const ms = pcm.length / 16
    if (ms > longest.ms) longest = { id, ms }
  }
  console.log(
    `${locale}: ${ids.length} prompts, ${(bytes / 1e6).toFixed(2)} MB, ${(bytes / 16000).toFixed(0)} s of speech, longest ${longest.id} (${(longest.ms / 1000).toFixed(1)} s)`,
  )
}

async function render(text: string, locale: Locale): Promise<Buffer> {
  const speech = execFileSync('espeak-ng', [...ESPEAK_VOICES[locale], '--stdout', text], {
    maxBuffer: 1 << 26,
  })
  const { rate, data } = parseWav(speech, 'espeak-ng')
  return pcmFrom(await level(await resample(samplesOf(data), rate, SAMPLE_RATE)))
}
