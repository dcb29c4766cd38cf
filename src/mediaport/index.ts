/**
 * The media port: what a call asks of its legs' sound and what it learns of them, as plain data (port.ts); and behind
 * it the media plane, ears, players, recorders and connections, in this thread or in one of its own. A command has an id,
 * and its answers carry that id.
 * Never: a frame in a command or a fact, what a call means, or a fact that waits for anything.
 */
export { isPromptId, readWav } from '../media/index.ts'
export {
  loadMediaAssets,
  openMediaAssets,
  openSounds,
  type Sounds,
  shareSounds,
} from './media-assets.ts'
export {
  createMediaPlane,
  type MediaPlane,
  type MediaPlaneCounts,
  type MediaPlaneSettings,
} from './media-plane.ts'
export { createMediaPort } from './media-port.ts'
export { startMediaThreads } from './media-threads.ts'
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
