/**
 * A visitor and a resident in a process of their own, who go on while the test's process does nothing. Argument: folder of their
 * prompts. Told who they are, they call, and press more keys when told to; then it sends how each of them ended.
 */
import { createPhone, type Phone } from '../../src/simulator/phone.ts'
import { playResident, playVisitor } from '../../src/simulator/script.ts'
import type { Ended } from '../../src/simulator/transcript.ts'
import { readPrompts } from '../../src/testing/index.ts'

/** Who calls, where. Keys are those of the scripts; of somebody who has called, further ones. */
export interface ApartCall {
  role: 'visitor' | 'resident'
  port: number
  id: string
  keys: string
}

export interface ApartEnd {
  role: ApartCall['role']
  ended: Ended
}

/** ms that a phone waits for what the service says: only a fault takes so long. */
const PATIENCE_MS = 90_000
const prompts = await readPrompts('pt-BR', [process.argv[2]!])

const phones = new Map<ApartCall['role'], Phone>()

process.on('message', async ({ role, keys, ...options }: ApartCall) => {
  const known = phones.get(role)
  if (known) return known.press(keys)
  const phone = createPhone({ ...options, role, prompts, timeoutMs: PATIENCE_MS })
  phones.set(role, phone)
  const ended = await (role === 'visitor' ? playVisitor(phone, { keys }) : playResident(phone, { keys }))
  const end: ApartEnd = { role, ended }
  process.send?.(end)
})
process.once('disconnect', () => process.exit())
