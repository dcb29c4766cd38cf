import type { AnswerCheck } from '../../machines/index.ts'
import type { Environment } from '../../src/config/config.ts'
import { FRAME_MS } from '../../src/platform/audio.ts'
import { eventually, type Rig } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'
import { freePort } from '../rig/site-rig.ts'
import { type Flats, type Greetings, openPbx, openTelephones } from './rig.ts'

interface Place {
  settings?: Environment
  /** Other words in files of examples/asterisk. */
  changes?: Record<string, Record<string, string>>
  /** How the telephones send their keys. */
  dtmf?: 'rfc4733' | 'inband'
  flats?: Flats
  greetings?: Greetings
  answerCheck?: AnswerCheck
}

/** Changes to pjsip.conf: these flats beside the two of examples/asterisk. */
export function furtherFlats(...numbers: string[]) {
  const line = '; The telephone at the gate.'
  const flats = numbers.map(
    (number) => `[${number}](porteiro)
context=residents
auth=${number}
aors=${number}

[${number}]
type=auth
auth_type=userpass
username=${number}
password=change-me-${number}

[${number}]
type=aor
max_contacts=2

`,
  )
  return { [line]: `${flats.join('')}${line}` }
}

/** A service behind an Asterisk with the files of examples/asterisk, and telephones that call it over SIP. */
export async function openPlace(
  rig: Rig,
  { settings = {}, changes, dtmf = 'rfc4733', flats, greetings, answerCheck }: Place = {},
) {
  const [visitor, resident] = [await freePort(), await freePort()]
  const pbx = await openPbx(rig, { visitor, resident }, changes)
  const telephones = await openTelephones(rig, pbx, {
    dtmf,
    ...(flats && { flats }),
    ...(greetings && { greetings }),
  })
  const house = await openService(rig, {
    ...(answerCheck && { answerCheck }),
    settings: {
      ...pbx.settings,
      CLICKTOCALL: 'ari',
      MEDIA_THREADS: '1',
      AUDIOSOCKET_VISITOR_PORT: String(visitor),
      AUDIOSOCKET_RESIDENT_PORT: String(resident),
      ...settings,
    },
  })
  const sounds = house.service.sounds['pt-BR']
  return {
    pbx,
    telephones,
    house,
    sound: (id: string) => sounds.pcm(id),
    /** Of what this process sent late, frames may be missing in a recording, or moved; `slips` are those of the way. */
    slips: (slips: number) => ({
      slips: slips + Math.ceil(house.service.status().frameLateness.max / FRAME_MS),
    }),
    /** The entrance calls, keys a unit and hurries through every question. */
    async visit(unit: string) {
      const entrance = await telephones.visit()
      const { callId } = await eventually(() => house.events.find(({ kind }) => kind === 'started'), 20_000)
      rig.defer(
        house.service.journal.subscribe(({ kind, data }) => {
          if (kind !== 'state') return
          const { actor, state } = data as { actor: string; state: string }
          if (/^question (asking|recording)|^call announcing/.test(`${actor} ${state}`))
            entrance.press('#').catch(() => {})
        }),
      )
      await entrance.press(`${unit}#`)
      return { entrance, callId }
    },
    /** Both telephone systems have no channel left. */
    async empty() {
      await eventually(
        async () =>
          (await Promise.all([pbx.manager.channels(), telephones.manager.channels()])).flat().length === 0 ||
          undefined,
        15_000,
      )
    },
  }
}
