import type { AnswerCheck } from '../../machines/index.ts'
import type { Environment } from '../../src/config/index.ts'
import type { ContactPlan } from '../../src/directory/index.ts'
import type { Phone } from '../../src/simulator/index.ts'
import { type Asked, openAri } from './ari-peer.ts'
import type { Rig } from './rig.ts'
import { openService } from './service-rig.ts'

const ATTEMPTS = { CLICKTOCALL_ATTEMPTS: '1' }
/** Q.850 */
export const CAUSE = { busy: 17, declined: 21, congested: 34 }

export const idOf = ({ query }: Asked) => query.get('channelId')!
export const legOf = ({ body }: Asked) => (body as { variables: { CALL: string } }).variables.CALL

interface Opened {
  settings?: Environment
  people?: { name: string; phone: string }[]
  plan?: ContactPlan
  answerCheck?: AnswerCheck
}

/** A service that calls over a scripted Asterisk, and a unit 901 with these residents. */
export async function openHouse(
  rig: Rig,
  {
    settings = {},
    people = [1, 2, 3].map((at) => ({ name: `Ana ${at}`, phone: `190${at}` })),
    plan,
    answerCheck,
  }: Opened = {},
) {
  const ari = await openAri(rig)
  const house = await openService(rig, {
    ...(answerCheck && { answerCheck }),
    settings: {
      ...ATTEMPTS,
      ARI_URL: ari.url,
      ARI_USER: 'porteiro',
      ARI_PASSWORD: 'secret-word',
      CLICKTOCALL: 'ari',
      ...settings,
    },
  })
  await house.include({ units: [{ number: '901', residents: people, ...(plan && { plan }) }] })
  if (house.config.clickToCall.mode === 'ari') await ari.watched()
  return {
    ari,
    house,
    /** A visitor who keys the unit and hurries through every question. */
    visit(): Phone {
      const phone = house.visitor()
      rig.defer(
        house.service.journal.subscribe(({ callId, kind, data }) => {
          if (callId !== phone.id || kind !== 'state') return
          const { actor, state } = data as { actor: string; state: string }
          if (/^question (asking|recording)|^call announcing/.test(`${actor} ${state}`)) void phone.press('#')
        }),
      )
      void phone.press('901#')
      return phone
    },
    /** The originates so far, once there are as many and each is accepted. */
    async called(callId: string, count: number): Promise<Asked[]> {
      const asked = await ari.count('POST', count)
      for (const one of asked.slice(0, count)) await house.noted(callId, 'dial', { attempt: idOf(one) })
      return asked
    },
    /** How the attempts ended, in order. */
    ends: (callId: string) =>
      house.events
        .filter((event) => event.callId === callId && event.kind === 'attempt.ended')
        .map(({ data }) => (data as { end: string }).end),
  }
}
