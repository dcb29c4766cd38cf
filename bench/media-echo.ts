/** The baseline of the media bench: a bare AudioSocket echo on node:net, and nothing else. */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { goFirst } from '../src/mediaport/thread-priority.ts'
import { answer, createMeter } from './child.ts'

const HEADER = 3
const AUDIO = 0x10
const EMPTY = Buffer.alloc(0)

// as the media thread does
goFirst()
const used = createMeter()
const open = new Set<Socket>()
const server = createServer({ noDelay: true }, (socket) => {
  open.add(socket)
  let rest: Buffer = EMPTY
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (bytes.length - at >= HEADER) {
      const end = at + HEADER + bytes.readUInt16BE(at + 1)
      if (end > bytes.length) break
      if (bytes[at] === AUDIO) socket.write(bytes.subarray(at, end))
      at = end
    }
    rest = at === bytes.length ? EMPTY : bytes.subarray(at)
  })
  socket.on('error', () => socket.destroy())
  socket.on('close', () => open.delete(socket))
})

answer(
  {
    async start() {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return (server.address() as AddressInfo).port
    },
    used,
  },
  () => {
    server.close()
    for (const socket of open) socket.destroy()
  },
)
