/** The telephone audio that every part agrees on: signed 16-bit little-endian PCM, mono. */

/** Samples per second. */
export const SAMPLE_RATE = 8000
/** One frame lasts 20 ms, the packet time of nearly every SIP phone. */
export const FRAME_MS = 20
/** 160 samples per frame. */
export const FRAME_SAMPLES = (SAMPLE_RATE * FRAME_MS) / 1000
/** 320 bytes per frame. */
export const FRAME_BYTES = FRAME_SAMPLES * 2

export type Role = 'visitor' | 'resident'
export type Locale = 'pt-BR' | 'en'
