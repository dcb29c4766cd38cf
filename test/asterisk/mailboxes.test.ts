import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { LAWS } from '../../src/media/codec.ts'
import { readChunks } from '../../src/platform/wav.ts'
import { silence, synth } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'
import { furtherFlats, openPlace } from './place.ts'
import { withAsterisk } from './rig.ts'

const test = suite('asterisk-mailboxes')
const testReal = withAsterisk(test)

const ANSWERS = join(import.meta.dirname, '..', 'fixtures', 'answers')
/** ms from the answer within which a machine is passed on. */
const PASSED_ON_MS = 8000
/** ms of silence and of our greeting that a mailbox may have kept when it is hung up. */
const KEPT_MS = 2000
/** All that is said before the proof. */
const NEUTRAL = ['resident-greeting', 'call-for-unit', 'press-or-say-hello']

/** espeak-ng on a telephone line, from the files of test/fixtures/answers: so many ms of it. */
async function spoken(name: string, ms = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const codes = await readFile(join(ANSWERS, `${name}.ul`))
  return Buffer.from(Int16Array.from(codes.subarray(0, ms * 8), (code) => LAWS.ulaw[code]!).buffer)
}

/** A greeting and the beep after which a mailbox records: 1 kHz, 400 ms. */
function mailbox(greeting: Buffer): Buffer {
  const beep = synth(400, (i) => 0.25 * Math.sin((2 * Math.PI * 1000 * i) / 8000))
  return Buffer.concat([greeting, silence(200), beep])
}

testReal(
  'mailboxes, by their sound and by AMD of Asterisk: the next telephone rings within 8 s, and nothing private is said or kept',
  async (rig) => {
    const [first, second, screened, person] = ['1101', '1102', '1103', '1104']
    const long = mailbox(await spoken('machine-pt-BR-2-6310'))
    const short = mailbox(await spoken('machine-pt-BR-1-3120', 2000))
    const { visit, telephones, house, empty } = await openPlace(rig, {
      flats: { [first]: 'mailbox', [second]: 'mailbox', [screened]: 'mailbox', [person]: 'greets' },
      greetings: {
        [first]: long,
        [second]: short,
        [screened]: long,
        // a telephone sends its silence, too
        [person]: Buffer.concat([await spoken('person-pt-BR-2-1230'), silence(30_000)]),
      },
      changes: {
        'pjsip.conf': furtherFlats(screened, person),
        'extensions.conf': {
          '[porteiro-resident]\nexten => s,1,Answer()': `[porteiro-resident]
exten => s,1,GotoIf($["\${CHANNEL(endpoint)}" < "${screened}" | "\${AMDSTATUS}" != ""]?ours)
 same => n,Goto(porteiro-resident-amd,s,1)
 same => n(ours),Answer()`,
        },
      },
      answerCheck: 'natural',
      settings: { CLICKTOCALL_ATTEMPTS: '1' },
    })
    const residents = [first, second, screened, person].map((phone) => ({ name: `Ana ${phone}`, phone }))
    await house.include({ units: [{ number: '901', residents }] })
    const { callId } = await visit('901')
    const flat = await telephones.rings(person)
    await house.noted(callId, 'state', { actor: 'resident', state: 'announcing' })
    await flat.press('1')
    assert.is((await house.ending(callId)).outcome, 'authorized')
    await empty()
    const events = house.events.filter((event) => event.callId === callId)
    const at = (kind: string, attempt: number) =>
      events
        .find((event) => {
          const { attempt: named, attemptId = named } = event.data as Record<string, unknown>
          return event.kind === kind && attemptId === `${callId}-${attempt}`
        })!
        .at.getTime()
    const ended = events.filter(({ kind }) => kind === 'attempt.ended')
    assert.equal(
      ended.map(({ data }) => (data as { end: string }).end),
      ['machine', 'machine', 'machine', 'decided'],
    )
    for (const attempt of [1, 2, 3]) {
      const ms = at('dial', attempt + 1) - at('attempt.answered', attempt)
      assert.ok(ms <= PASSED_ON_MS, `after telephone ${attempt} the next one rings in ${ms} ms`)
    }
    // AMD tells both, and its machine hears nothing
    assert.ok(at('telephone.machine', 3) < at('telephone.person', 4))
    const said = (before: number) =>
      events
        .filter(({ kind, leg, seq }) => kind === 'said' && leg === 'resident' && seq < before)
        .flatMap(({ data }) => (data as { pieces: unknown[] }).pieces)
    const [, , third] = ended
    assert.ok(said(third!.seq).every((piece) => NEUTRAL.includes(String(piece))))
    const answered = events.find(
      ({ kind, data }) => kind === 'attempt.answered' && JSON.stringify(data).includes(`${callId}-3`),
    )
    assert.equal(said(third!.seq), said(answered!.seq))
    for (const number of [first, second, screened]) {
      const file = await readFile(telephones.message(number)).catch(() => undefined)
      const wav = file && readChunks(file)
      const ms = wav && !('problem' in wav) ? wav.data.length / 16 : 0
      assert.ok(ms < KEPT_MS, `the mailbox ${number} has kept ${ms} ms`)
    }
  },
)

test.run()
