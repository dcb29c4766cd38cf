/**
 * Asterisk's AudioSocket: bytes, frames and connections, and the one pacer that writes frames on time. A frame is one
 * message of 20 ms; a connection is one leg's TCP stream; a relay carries a leg to the node that has its call.
 * Never: what a call means. No await, no copy and no log line on a frame's way.
 */
export type { Connection, ConnectionListener, Gone } from './connection.ts'
export {
  audioFrame,
  dtmfMessage,
  HANGUP,
  HEADER_BYTES,
  isKey,
  KIND,
  rateOf,
  SILENCE,
  uuidMessage,
  uuidText,
} from './frame.ts'
export { createLatenessRecord, type LatenessRecord, latenessMemory } from './lateness.ts'
export { createPacer, type IdleAudio } from './pacer.ts'
export { createReader } from './reader.ts'
export { type Relay, relay } from './relay.ts'
export {
  type AudioSocketCounts,
  type AudioSocketListener,
  type AudioSocketPort,
  createAudioSocketServer,
} from './server.ts'
