import { FRAME_BYTES, FRAME_MS } from '../platform/audio.ts'

/** Makes the whole AudioSocket message of exactly 320 bytes of PCM. Handed in: media knows no wire format. */
export type FrameMaker = (pcm: Uint8Array) => Buffer

/** A track of the pacer calls it every 20 ms: a whole message, or null when there is nothing to play. */
export interface FrameSource {
  next(): Buffer | null
}

/** Sound cut into whole messages of 20 ms; the last one is filled up with silence. */
export function cutFrames(pcm: Uint8Array, frame: FrameMaker): readonly Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at < pcm.length; at += FRAME_BYTES) {
    const piece = pcm.subarray(at, at + FRAME_BYTES)
    if (piece.length === FRAME_BYTES) frames.push(frame(piece))
    else {
      const padded = new Uint8Array(FRAME_BYTES)
      padded.set(piece)
      frames.push(frame(padded))
    }
  }
  return frames
}

/** Duration of this many frames in ms. */
export function frameMs(frames: number): number {
  return frames * FRAME_MS
}
