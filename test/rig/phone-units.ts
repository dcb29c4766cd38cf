import { callMachine } from '../../machines/index.ts'
import { byPhone, isPlayable, type ModelPath, model, type PhoneUnits } from '../../src/testing/index.ts'
import type { Rig } from './rig.ts'
import { openService } from './service-rig.ts'

export const PHONE_UNITS: PhoneUnits = {
  once: '901',
  twice: '902',
  brief: '903',
  nobody: '904',
  unknown: '999',
}

/** A service whose time is compressed by its configuration and its short prompts, and the options of the driver `phone` for it. */
export async function openForPhones(rig: Rig) {
  const house = await openService(rig, {
    // as a service has it by default
    settings: { HANGUP_GRACE_MS: '200', MAX_CALLS: '100', MEDIA_THREADS: '1' },
    mayFail: true,
  })
  const called = (number: string, attempts: number, ringSeconds: number) => ({
    number,
    residents: [{ name: 'Rosa', phone: `sip:1${number}@pbx.local` }],
    plan: [{ kind: 'call', attempts, ringSeconds }],
  })
  await house.include({
    units: [
      called(PHONE_UNITS.once, 1, 60),
      called(PHONE_UNITS.twice, 2, 60),
      called(PHONE_UNITS.brief, 1, 5),
      // nobody of it reads messages
      { ...called(PHONE_UNITS.nobody, 1, 60), plan: [{ kind: 'whatsapp' }] },
    ],
  })
  const { ports } = house.service
  return {
    port: ports.visitor,
    residentPort: ports.resident,
    api: `http://127.0.0.1:${ports.api}`,
    key: house.key,
    units: PHONE_UNITS,
  }
}

/** So many paths for telephones: those of the model, each by each step, then walks that `seed` chooses. */
export function phonePaths(count: number, seed = 1): ModelPath<typeof callMachine>[] {
  const explored = model(callMachine, byPhone)
  const found = new Map<string, ModelPath<typeof callMachine>>()
  const keep = (path: ModelPath<typeof callMachine>) => isPlayable(path) && found.set(path.title, path)
  for (const each of ['step', 'pair'] as const) explored.paths({ each }).forEach(keep)
  for (let state = seed; found.size < count; ) {
    const choices = Array.from({ length: 12 }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state >>> 8
    })
    keep(explored.walk(choices.slice(0, 3 + (state % 9))))
  }
  return [...found.values()].slice(0, count)
}
