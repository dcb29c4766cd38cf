import type { Connection } from '../audiosocket/index.ts'
import { createPlayer, type Prompts } from '../media/index.ts'
import type { Locale } from '../platform/audio.ts'

/** Maximum number of reject prompts at a time; further connections are hung up at once. */
const AT_ONCE = 50

interface RejectionsOptions {
  prompts: Readonly<Record<Locale, Prompts>>
  /** ms between our 0x00 and closing the socket ourselves. */
  graceMs: number
}

/**
 * Rejects connections that belong to no call (all lines busy, the visit is over): one prompt, then 0x00. Each is released when
 * it closes; their number and time are limited.
 */
export function createRejections({ prompts, graceMs }: RejectionsOptions) {
  const open = new Set<Connection>()

  const reject = (connection: Connection) => {
    connection.hangUp()
    const timer = setTimeout(() => connection.destroy(), graceMs)
    void connection.closed.then(() => clearTimeout(timer))
  }

  return {
    /** Sends 0x00 at once; closes the socket after graceMs. */
    reject,
    rejectWithPrompt(connection: Connection, { prompt, locale }: { prompt: string; locale: Locale }) {
      if (open.size >= AT_ONCE) return reject(connection)
      open.add(connection)
      const player = createPlayer({ wake: () => connection.wake() })
      void connection.closed.then(() => {
        open.delete(connection)
        player.close()
      })
      connection.attach({ audio: () => {}, key: () => {}, gone: () => player.close() }, player)
      void player.play(prompts[locale].compose([prompt])).then(({ interrupted }) => {
        if (!interrupted) reject(connection)
      })
    },
    close() {
      for (const connection of open) reject(connection)
    },
  }
}
