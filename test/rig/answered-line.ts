import { SimulatedClock } from 'xstate'
import { createEar } from '../../src/media/ear.ts'
import { HELLO_END_MS } from '../../src/mediaport/media-leg.ts'
import { createStage } from '../../src/testing/index.ts'
import { engine } from './media-stream.ts'

const FRAME_MS = 20
const FRAME_BYTES = 320

/** What a call makes of an answered line; ms from the answer. */
export interface Heard {
  /** When Porteiro begins to speak. */
  spokeAt: number | undefined
  provenAt: number | undefined
  releasedAt: number | undefined
  decided: boolean
}

/** A whole call on simulated time whose resident's line sounds like this. By sound alone: nothing is transcribed. */
export async function hearAnswer(pcm: Buffer): Promise<Heard> {
  const clock = new SimulatedClock()
  const contacts = ['Ana', 'Bruno'].map((name) => ({ residentId: name, name, number: name }))
  const stage = createStage({ clock, contacts, settings: { answerCheck: 'natural' }, pieceMs: 2500 })
  const actor = stage.create()
  actor.start()
  for (const key of '101#') {
    stage.report('visitor', { type: 'key.pressed', key })
    await stage.pass(1)
  }
  await stage.pass(30_000)
  actor.send({ type: 'resident.joined' })
  await stage.pass(0)
  const heard: Heard = { spokeAt: undefined, provenAt: undefined, releasedAt: undefined, decided: false }
  const ear = createEar({
    vad: engine,
    onFact(fact) {
      if (fact.type === 'speech.started') stage.report('resident', { type: 'speech.started' })
      else if (fact.type === 'speech.ended') stage.report('resident', { type: 'speech.ended', ms: fact.ms })
      else if (fact.type === 'beep.heard') stage.report('resident', { type: 'beep.heard' })
    },
    beeps: true,
    speech: { hangoverMs: HELLO_END_MS },
  })
  for (let at = 0; at < pcm.length && heard.releasedAt === undefined; at += FRAME_BYTES) {
    ear.audio(pcm, at, Math.min(pcm.length, at + FRAME_BYTES), 8000)
    await stage.pass(FRAME_MS)
    const ms = at / 16 + FRAME_MS
    if (stage.lines.some(({ role }) => role === 'resident')) heard.spokeAt ??= ms
    const snapshot = actor.getSnapshot()
    if (snapshot.matches({ reaching: { answered: 'consulting' } })) heard.provenAt ??= ms
    if (stage.hungUp.includes('resident')) heard.releasedAt = ms
    heard.decided ||= snapshot.context.decision !== null
  }
  ear.close()
  actor.stop()
  return heard
}
