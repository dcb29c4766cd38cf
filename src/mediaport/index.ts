/**
 * The media port: what a call asks of its legs' sound and what it learns of them, as plain data (port.ts); and behind
 * it the ear, player, recorders, bridge and connection of each leg. A command has an id, and its answers carry that id.
 * Never: a frame in a command or a fact, what a call means, or a fact that waits for anything.
 */
export { isPromptId, readWav } from '../media/index.ts'
export { loadMediaAssets, type MediaAssets } from './media-assets.ts'
export { createMediaPort } from './media-port.ts'
export type {
  ArrivedLeg,
  ListeningRules,
  MediaCommand,
  MediaFact,
  MediaLeg,
  MediaPort,
  SpeechThresholds,
  SpokenPiece,
} from './port.ts'
