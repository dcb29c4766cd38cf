import * as assert from 'uvu/assert'
import { PathError, phone } from '../../src/testing/index.ts'
import { openForPhones, phonePaths } from '../rig/phone-units.ts'
import { suite } from '../rig/rig.ts'

const test = suite('phone', { timeout: 300_000 })

test('generated paths play by telephone on a running service, and its journal tells what differs', async (t) => {
  const options = await openForPhones(t)
  const paths = phonePaths(60)
  const wanted = [
    'in after a talk',
    'resident sends the visitor away',
    'wants to talk, then the resident hangs up',
    'stops ringing',
    'nobody can be called',
    'unknown unit',
  ]
  const chosen = wanted.map((words) => {
    const path = paths.find(({ title }) => title.includes(words))
    assert.ok(path, words)
    return path
  })
  await Promise.all(chosen.map((path) => path.play(phone(options))))

  // a service that behaves otherwise than the model: this one calls nobody
  const authorized = paths.find(({ title }) => title.includes('in after a talk'))!
  const wrong = phone({
    ...options,
    units: { ...options.units, once: '904', twice: '904' },
    patienceMs: 5000,
  })
  await authorized.play(wrong).then(
    () => assert.unreachable('it played'),
    (error) => assert.ok(error instanceof PathError),
  )
})

test.run()
