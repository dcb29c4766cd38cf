import type { Connection, ConnectionListener, Gone } from '../audiosocket/index.ts'
import { createPlayer, type Prompts, type Tones } from '../media/index.ts'
import type { PorteiroError } from '../platform/errors.ts'

/** What a held leg hears, now and every AGAIN_MS, above the tone. */
const PROMPT = 'one-moment'
const AGAIN_MS = 15_000
/** Keys of a held leg that are passed on; a unit's number is shorter. */
const MOST_KEYS = 20

interface HoldOptions {
  prompts: Prompts
  tones: Tones
}

/**
 * Holds a leg whose call is not known yet. The returned function ends that; it passes what the leg did meanwhile, keys and its
 * end, to the leg's next listener.
 */
export function holdLeg(connection: Connection, { prompts, tones }: HoldOptions) {
  const keys: string[] = []
  let end: { how: Gone; error: PorteiroError | undefined } | undefined
  const player = createPlayer({ wake: () => connection.wake() })
  const say = () => void player.play(prompts.compose([PROMPT]))
  const timer = setInterval(say, AGAIN_MS)
  const stop = () => {
    clearInterval(timer)
    player.close()
  }
  connection.attach(
    {
      audio: () => {},
      key: (key) => keys.length < MOST_KEYS && keys.push(key),
      gone(how, error) {
        end = { how, error }
        stop()
      },
    },
    player,
  )
  player.loop(tones.hold)
  say()
  void connection.closed.then(stop)

  return (next?: ConnectionListener): void => {
    stop()
    if (!next) return
    queueMicrotask(() => {
      for (const key of keys) next.key(key)
      if (end) next.gone(end.how, end.error)
    })
  }
}
