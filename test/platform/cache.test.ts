import * as assert from 'uvu/assert'
import { cacheLookups, createCache } from '../../src/platform/cache.ts'
import { suite } from '../rig/rig.ts'

const test = suite('platform cache')

test('the oldest entry is dropped first, and each lives as long as it may', () => {
  let time = 0
  const cache = createCache<number>(2, () => time)
  cache.set('a', 1)
  cache.set('b', 2)
  cache.set('a', 3)
  cache.set('c', 4, 10)
  assert.equal([cache.get('a'), cache.get('b'), cache.get('c')], [3, undefined, 4])
  time = 10
  assert.equal([cache.get('a'), cache.get('c')], [3, undefined])
  cache.delete('a')
  assert.is(cache.get('a'), undefined)
})

test('a lookup is asked once in a while; failures and missing answers are not cached', async () => {
  let time = 0
  const asked: string[] = []
  const answers = new Map([['a', 1]])
  const find = cacheLookups(
    async (key: string) => {
      asked.push(key)
      if (key === 'broken') throw new Error('away')
      return answers.get(key)
    },
    3000,
    () => time,
  )
  assert.equal(await Promise.all([find('a'), find('a'), find('a')]), [1, 1, 1])
  time = 2999
  await find('a')
  assert.equal(asked, ['a'])
  time = 3000
  answers.set('a', 2)
  assert.is(await find('a'), 2)
  assert.is(await find('b'), undefined)
  answers.set('b', 3)
  assert.is(await find('b'), 3)
  for (let n = 0; n < 2; n++)
    await find('broken').then(
      () => assert.unreachable(),
      (error) => assert.match(error.message, 'away'),
    )
  assert.equal(asked, ['a', 'a', 'b', 'b', 'broken', 'broken'])
})

test.run()
