/** What the service's frames are measured beside: a server that plays the same speech to everyone, by our pacer. */
import { createPacer } from '../src/audiosocket/pacer.ts'
import { createAudioSocketServer } from '../src/audiosocket/server.ts'
import { silentLog } from '../src/platform/log.ts'
import { readPrompts } from '../src/testing/index.ts'
import { answer } from './child.ts'

const PROMPTS = ['greeting', 'ask-unit', 'menu', 'farewell-visitor-authorized']
const frames = await readPrompts('pt-BR').then((prompts) => PROMPTS.flatMap((id) => [...prompts.frames(id)]))
const pacer = createPacer()
const server = createAudioSocketServer({
  log: silentLog(),
  pacer,
  allow: ['127.0.0.0/8'],
  onConnection(connection) {
    let at = 0
    const next = () => {
      if (at < frames.length) return frames[at++]!
      connection.hangUp()
      return null
    }
    connection.attach({ audio: () => {}, key: () => {}, gone: () => {} }, { next })
  },
})

answer(
  {
    async start() {
      const { port } = await server.listen({
        host: '127.0.0.1',
        port: 0,
        role: 'visitor',
        entrance: undefined,
      })
      return port
    },
  },
  async () => {
    await server.close()
    pacer.close()
  },
)
