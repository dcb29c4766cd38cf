import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { SimulatedClock } from 'xstate'
import { createStage } from '../../src/testing/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('who decides a visit')

/** What may happen at any moment, in any order. */
const happening = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 20_000 }).map((ms) => ({ is: 'time' as const, ms })) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom('1', '1', '1', '0', '2', '3', '9', '#', '*')
      .map((key) => ({ is: 'key' as const, key })),
  },
  { weight: 2, arbitrary: fc.constant({ is: 'join' as const }) },
  { weight: 1, arbitrary: fc.constant({ is: 'left' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constant('reply' as const),
      verdict: fc.constantFrom('authorized' as const, 'denied' as const),
      via: fc.constantFrom('whatsapp' as const, 'api' as const),
    }),
  },
)

const visit = fc.record({
  rules: fc.constantFrom(
    'contact' as const,
    'contact' as const,
    'contact' as const,
    'blocked' as const,
    'authorized' as const,
  ),
  answerCheck: fc.constantFrom('off' as const, 'key' as const),
  happenings: fc.array(happening, { minLength: 5, maxLength: 25 }),
})

test('random visits: somebody is let in by a key after the question, by a reply, an API key or a rule, and by nothing else', async () => {
  const letIn: Record<string, number> = {}
  await fc.assert(
    fc.asyncProperty(visit, async ({ rules, answerCheck, happenings }) => {
      const stage = createStage({
        clock: new SimulatedClock(),
        settings: { answerCheck },
        ...(rules !== 'contact' && { rules: { verdict: rules } }),
      })
      const actor = stage.create().start()
      try {
        for (const key of '101#') {
          stage.report('visitor', { type: 'key.pressed', key })
          await stage.pass(1)
        }
        await stage.pass(9000)
        /** A key 1 of somebody who was asked on the line they are on. */
        let pressed = 0
        const replies: { verdict: string; via: string }[] = []
        for (const one of happenings) {
          const { status, context } = actor.getSnapshot()
          if (status !== 'active') break
          const open = context.ending === null
          if (one.is === 'time') await stage.pass(one.ms)
          else if (one.is === 'join') actor.send({ type: 'resident.joined' })
          else if (one.is === 'left') stage.report('resident', { type: 'hungUp', how: 'fin' })
          else if (one.is === 'reply') {
            if (open) replies.push({ verdict: one.verdict, via: one.via })
            actor.send({ type: 'decision.given', verdict: one.verdict, by: 'x', via: one.via })
          } else {
            const isAsked =
              context.legs.includes('resident') &&
              stage.lines.some(
                ({ role, pieces }) => role === 'resident' && pieces.includes('visitor-at-gate'),
              )
            if (open && isAsked && one.key === '1') pressed += 1
            stage.report('resident', { type: 'key.pressed', key: one.key })
          }
          await stage.pass(1)
        }
        const { decision, ending } = actor.getSnapshot().context
        if (ending?.outcome !== 'authorized') {
          assert.is.not(decision?.verdict, 'authorized')
          return
        }
        assert.ok(decision, 'who was let in was decided about')
        const { via, by } = decision
        letIn[via] = (letIn[via] ?? 0) + 1
        if (via === 'rule') assert.equal([by, rules], ['rule', 'authorized'])
        else if (via === 'key') {
          assert.is(rules, 'contact')
          assert.ok(pressed > 0, 'somebody on the line pressed 1 after the question')
        } else {
          assert.ok(
            replies.some((reply) => reply.verdict === 'authorized' && reply.via === via),
            via,
          )
        }
      } finally {
        actor.stop()
      }
    }),
    { numRuns: 200 },
  )
  // about 15 of each are expected
  for (const via of ['rule', 'key', 'whatsapp', 'api'])
    assert.ok((letIn[via] ?? 0) > 0, `${JSON.stringify(letIn)}: by ${via}`)
})

test.run()
