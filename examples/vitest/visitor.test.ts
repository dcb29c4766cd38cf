/** A bare machine under vitest: `npm install && npm test` in this folder. */
import { visitorMachine } from '@porteiro/machines'
import { model, stage } from '@porteiro/machines/testing'
import { describe, expect, test } from 'vitest'

const visitor = model(visitorMachine, undefined, {
  always: {
    'who did not give up has a unit': ({ output }) =>
      output === undefined || output.gaveUp !== null || output.unit !== null,
  },
})

describe('the visitor', () => {
  test('reaches every state', () => {
    expect(visitor.unreached).toEqual([])
  })
  for (const path of visitor.paths({ each: 'transition' })) test(path.title, () => path.play(stage()))
})
