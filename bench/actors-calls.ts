/** One kind of call in a process of its own: `porteiro`, the real machines, or `bare`, the same chart without content. */
import { createBareCall } from './actors-bare.ts'
import { createStubbedCall } from './actors-stubbed.ts'
import { answer, createMeter } from './child.ts'
import type { Drivable } from './drivable.ts'

/** Calls that live at the same time. */
const AT_ONCE = 100

const create: () => Drivable = process.argv[2] === 'bare' ? createBareCall : createStubbedCall
const used = createMeter()

answer({
  /** CPU in µs and time of so many calls from their creation to their end. */
  async drive({ calls }: { calls: number }) {
    globalThis.gc!()
    used()
    const began = performance.now()
    for (let done = 0; done < calls; done += AT_ONCE) {
      await end(await ring(Math.min(AT_ONCE, calls - done)))
    }
    return { cpu: used().cpu, seconds: (performance.now() - began) / 1000 }
  },
  /** Bytes a call while it rings. */
  async hold({ calls }: { calls: number }) {
    await end(await ring(AT_ONCE))
    globalThis.gc!()
    const before = process.memoryUsage().heapUsed
    const held = await ring(calls)
    globalThis.gc!()
    const after = process.memoryUsage().heapUsed
    await end(held)
    return (after - before) / calls
  },
})

/** Creates calls and leads them until the resident is rung. */
async function ring(count: number): Promise<Drivable[]> {
  const calls = Array.from({ length: count }, create)
  for (const { actor } of calls) actor.start()
  await turn()
  for (const key of '101#') {
    for (const call of calls) call.press('visitor', key)
    await turn()
  }
  return calls
}

/** The resident answers and authorizes; both hear goodbye and are hung up. */
async function end(calls: readonly Drivable[]): Promise<void> {
  for (const call of calls) call.join()
  await turn()
  for (const call of calls) call.press('resident', '1')
  await turn()
  for (const { actor } of calls) {
    const { status, value } = actor.getSnapshot()
    if (status !== 'done') throw new Error(`a call did not end but is ${JSON.stringify(value)}`)
  }
}

/** Every stub that answers has answered, and what follows from it has happened. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
