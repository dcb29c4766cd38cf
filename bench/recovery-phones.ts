/** Visitors, all in one process that is not the measured one. */
import { answer } from './child.ts'
import type { Station } from './recovery-bed.ts'
import { createVisitor, type Heard, type Visitor } from './recovery-visitor.ts'

export interface Returned {
  back: Heard[]
  /** What the others heard first, or `ended` or `nothing`. */
  instead: Record<string, number>
}

/** Connections that a server lets wait for their UUID; of more in one moment it turns the first away. */
const AT_ONCE = 200

let visitors: Visitor[] = []

answer(
  {
    /** Each for a visitor who calls, as many in one moment as may be; resolves when each has heard the greeting. */
    async call({ port, stations }: { port: number; stations: Station[] }): Promise<Heard[]> {
      const heard: Heard[] = []
      for (let made = 0; made < stations.length; made += AT_ONCE) {
        const called = stations.slice(made, made + AT_ONCE).map((station) => createVisitor(port, station))
        visitors.push(...called)
        heard.push(...(await Promise.all(called.map(({ hears }) => hears('greeting')))))
      }
      return heard
    },
    /** So many, one after the other, each until the greeting; resolves with the ms that each waited. */
    async callAlone({ port, times }: { port: number; times: number }): Promise<number[]> {
      const waited: number[] = []
      for (let time = 0; time < times; time++) {
        const visitor = createVisitor(port, 'unit')
        const { dialledAt, heardAt } = await visitor.hears('greeting')
        waited.push(heardAt - dialledAt)
        visitor.hangUp()
      }
      return waited
    },
    /** From now on whoever is cut off tries again each `retryMs`. */
    expectLoss({ retryMs }: { retryMs: number }) {
      for (const visitor of visitors) visitor.retries(retryMs)
    },
    /** Resolves when everybody has heard something or was told that it is over, or after `limitMs`. */
    async returned({ limitMs }: { limitMs: number }): Promise<Returned> {
      const limit = new Promise<'nothing'>((resolve) => setTimeout(resolve, limitMs, 'nothing').unref())
      const ends = await Promise.all(visitors.map(({ again }) => Promise.race([again(), limit])))
      const instead: Record<string, number> = {}
      const back: Heard[] = []
      for (const end of ends) {
        if (typeof end === 'string') instead[end] = (instead[end] ?? 0) + 1
        else back.push(end)
      }
      return { back, instead }
    },
    hangUp() {
      for (const visitor of visitors) visitor.hangUp()
      visitors = []
    },
  },
  () => {
    for (const visitor of visitors) visitor.hangUp()
  },
)
