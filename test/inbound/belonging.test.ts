import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { type Candidates, findQuestion, type Reply } from '../../src/inbound/belonging.ts'
import type { Approval } from '../../src/inbound/sql/approvals.ts'
import { suite } from '../rig/rig.ts'

const test = suite('inbound: which question a reply answers')

const NOW = Date.UTC(2026, 10, 21, 12)
const PHONES = ['+5511980112211', '+5511980113322']
const at = (seconds: number) => new Date(NOW + seconds * 1000)
const seconds = fc.integer({ min: -12, max: 12 })

const question = fc.record({
  id: fc.uuid(),
  phone: fc.constantFrom(...PHONES),
  channel: fc.constantFrom('whatsapp' as const, 'twilio' as const),
  network: fc.constantFrom('whatsapp' as const, 'whatsapp' as const, 'sms' as const, null),
  waits: fc.boolean(),
  replyId: fc.constantFrom(null, null, null, 'this', 'another'),
  askedAt: seconds.map(at),
}) as unknown as fc.Arbitrary<Approval>

const reply: fc.Arbitrary<Reply> = fc.record({
  id: fc.constant('this'),
  kind: fc.constantFrom('text', 'text', 'button', 'reaction'),
  channel: fc.constantFrom('whatsapp' as const, 'unoapi' as const, 'twilio' as const),
  instanceId: fc.constant('default'),
  network: fc.constantFrom('whatsapp' as const, 'sms' as const),
  quotedId: fc.constantFrom(null, null, 'wamid.x'),
  sentAt: fc.option(seconds.map(at)),
  receivedAt: seconds.map(at),
})

const world = fc
  .tuple(reply, fc.option(fc.constantFrom(...PHONES), { freq: 9 }), fc.array(question, { maxLength: 4 }))
  .chain(([said, phone, questions]) => {
    const none = fc.constant(undefined)
    const any =
      questions.length === 0 ? none : fc.option(fc.constantFrom(...questions), { nil: undefined, freq: 1 })
    return fc.record({
      said: fc.constant(said),
      phone: fc.constant(phone),
      candidates: fc.record({
        quoted: said.quotedId === null ? none : any,
        tapped: said.kind !== 'button' ? none : any,
        isForged: said.kind === 'button' ? fc.boolean() : fc.constant(false),
        asked: fc.constant(questions.filter((asked) => asked.phone === phone)),
      }) satisfies fc.Arbitrary<Candidates>,
    })
  })

test('of 10,000 random replies none decides a question that it does not answer', () => {
  let decided = 0
  fc.assert(
    fc.property(world, ({ said, phone, candidates }) => {
      const found = findQuestion(said, phone, candidates)
      if (!('approval' in found)) return
      const { approval } = found
      decided += 1
      assert.is(approval.phone, phone, 'the number that was asked')
      // the same reply, whose worker was killed
      if (approval.replyId === said.id) return
      assert.ok(approval.waits, 'the question waits')
      const carrier = said.channel === 'twilio' ? 'twilio' : 'whatsapp'
      assert.is(approval.channel, carrier)
      if (approval.network !== null) assert.is(approval.network, said.network)
      assert.not(candidates.isForged, 'no forged button')
      const { quoted, tapped } = candidates
      if (tapped || quoted) {
        assert.equal(new Set([tapped, quoted].filter(Boolean)).size, 1, 'button and quote agree')
        assert.is(approval, tapped ?? quoted)
        return
      }
      assert.is(said.quotedId, null, 'it quotes nothing else')
      assert.is.not(said.kind, 'reaction')
      const askedAt = approval.askedAt.getTime()
      assert.ok(said.receivedAt.getTime() >= askedAt, 'it was received after the question')
      if (said.sentAt) assert.ok(said.sentAt.getTime() >= askedAt - 2000, 'it is not older')
    }),
    { numRuns: 10_000 },
  )
  assert.ok(decided > 500, `${decided} of them decided`)
})

test('a plain answer to the only question that waits decides it; two that wait do not', () => {
  const asked = {
    id: '1',
    phone: PHONES[0],
    channel: 'whatsapp',
    network: 'whatsapp',
    waits: true,
    replyId: null,
    askedAt: at(0),
  } as Approval
  const said: Reply = {
    id: 'this',
    kind: 'text',
    channel: 'unoapi',
    instanceId: 'default',
    network: 'whatsapp',
    quotedId: null,
    sentAt: at(-2),
    receivedAt: at(0),
  }
  const none = { quoted: undefined, tapped: undefined, isForged: false }
  assert.equal(findQuestion(said, PHONES[0]!, { ...none, asked: [asked] }), { approval: asked })
  const second = { ...asked, id: '2', askedAt: at(3) }
  assert.equal(findQuestion(said, PHONES[0]!, { ...none, asked: [second, asked] }), { approval: asked })
  const later = { ...said, sentAt: null, receivedAt: at(4) }
  assert.equal(findQuestion(later, PHONES[0]!, { ...none, asked: [second, asked] }), {
    ambiguous: [second, asked],
  })
  const ended = { ...asked, waits: false }
  assert.equal(findQuestion(said, PHONES[0]!, { ...none, asked: [ended] }), { over: ended })
  // a time that is yet to come says nothing
  const ahead = { ...said, sentAt: at(100), receivedAt: at(-1) }
  assert.equal(findQuestion(ahead, PHONES[0]!, { ...none, asked: [asked] }), { doubtful: asked })
})

test.run()
