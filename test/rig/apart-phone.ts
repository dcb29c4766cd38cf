import { Worker } from 'node:worker_threads'
import type { Rig } from './rig.ts'

/** A telephone in a thread of its own: it goes on while the test's thread is blocked. */
export interface ApartPhone {
  /** Presses a key so many ms from now. */
  press(key: string, delayMs: number): void
  /** Audio messages that have come so far, and the longest distance between two reads, ms. */
  heard(): Promise<{ frames: number; longestMs: number }>
}

// a program of its own without types, so that it starts at once
const PHONE = `
const { parentPort, workerData: { port, id } } = require('node:worker_threads')
const socket = require('node:net').connect({ port, host: '127.0.0.1', noDelay: true })
const message = (kind, payload) => Buffer.concat([Buffer.from([kind, payload.length >> 8, payload.length & 255]), payload])
const silence = message(0x10, Buffer.alloc(320))
let bytes = 0
let longestMs = 0
let last = performance.now()
socket.on('connect', () => {
  socket.write(message(1, Buffer.from(id.replaceAll('-', ''), 'hex')))
  setInterval(() => socket.write(silence), 20)
})
socket.on('error', () => {})
socket.on('data', (chunk) => {
  const now = performance.now()
  longestMs = Math.max(longestMs, now - last)
  last = now
  bytes += chunk.length
})
parentPort.on('message', ({ key, delayMs }) => {
  if (key) setTimeout(() => socket.write(message(3, Buffer.from(key))), delayMs)
  else {
    parentPort.postMessage({ frames: bytes / silence.length, longestMs })
    longestMs = 0
  }
})
`

export function openApartPhone(rig: Rig, phone: { port: number; id: string }): ApartPhone {
  const worker = new Worker(PHONE, { eval: true, workerData: phone })
  rig.defer(() => worker.terminate())
  return {
    press: (key, delayMs) => worker.postMessage({ key, delayMs }),
    heard() {
      const answer = new Promise<{ frames: number; longestMs: number }>((resolve) =>
        worker.once('message', resolve),
      )
      worker.postMessage({})
      return answer
    },
  }
}
