import * as assert from 'uvu/assert'
import { headerOf } from '../../src/platform/wav.ts'
import { createEar } from '../../src/simulator/bridged-voice.ts'
import { timedSuite } from '../rig/clock.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { eventually } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = timedSuite('service: prompts of tenants')

test('a WAV that is sent over the API is what the next visitor hears, on the other node too', async (rig) => {
  const url = await openDatabaseUrl(rig)
  // each node has a DATA_DIR of its own
  const open = (NODE_ID: string) => openService(rig, { url, prompts: 'real', settings: { NODE_ID } })
  const here = await open('here')
  const there = await open('there')
  const voice = here.service.sounds['pt-BR'].pcm('sample-visitor-purpose')
  const ask = (method: string, body?: Buffer) =>
    fetch(`http://127.0.0.1:${here.service.ports.api}/api/tenants/default/prompts/greeting`, {
      method,
      headers: { authorization: `Bearer ${here.key}`, ...(body && { 'content-type': 'audio/wav' }) },
      ...(body && { body }),
    })
  /** How much of the voice a visitor hears first, and how unchanged. */
  const greeted = async ({ visitor }: House) => {
    const phone = visitor()
    const ear = createEar(voice)
    const begun = performance.now()
    let left = voice.length
    await new Promise<void>((resolve) => {
      phone.onAudio((bytes, start, end) => {
        ear.frame(bytes, start, end, performance.now())
        // a greeting begins within a second
        left -= end - start
        if (left < -8000 * 2) resolve()
      })
    })
    phone.hangUp()
    await phone.ended
    return ear.judge(begun)
  }

  await here.visitor().hearing('greeting')
  const sent = await ask('PUT', Buffer.concat([headerOf(voice.length, 8000), voice]))
  assert.is(sent.status, 200, await sent.text())
  for (const house of [here, there]) {
    const { share, correlation } = await eventually(async () => {
      const heard = await greeted(house)
      return heard.share > 0.5 ? heard : undefined
    })
    assert.ok(share > 0.95 && correlation > 0.99, `${house.config.nodeId}: ${share}, ${correlation}`)
  }
  assert.is((await ask('DELETE')).status, 204)
  await eventually(() =>
    there
      .visitor()
      .hearing('greeting', { timeout: 5000 })
      .catch(() => undefined),
  )
})

test.run()
