import { FRAME_BYTES } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'

/**
 * Asterisk's AudioSocket: kind u8, length u16 big-endian, payload. Audio is signed 16-bit little-endian PCM. Kinds from
 * res_audiosocket.h of Asterisk 23.
 */
export const KIND = {
  hangup: 0x00,
  uuid: 0x01,
  dtmf: 0x03,
  slin8: 0x10,
  slin12: 0x11,
  slin16: 0x12,
  slin24: 0x13,
  slin32: 0x14,
  slin44: 0x15,
  slin48: 0x16,
  slin96: 0x17,
  slin192: 0x18,
  error: 0xff,
} as const

export const HEADER_BYTES = 3
export const UUID_BYTES = 16
export const NIL_UUID = '00000000-0000-0000-0000-000000000000'

const RATES = [8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000]

/** Sample rate of an audio kind in Hz; undefined for every other kind. */
export function rateOf(kind: number): number | undefined {
  return RATES[kind - KIND.slin8]
}

/** The audio kind of a sample rate in Hz that Asterisk knows. */
export function kindOf(rate: number): number {
  return KIND.slin8 + RATES.indexOf(rate)
}

/** True for the keys a telephone can send: 0-9, A-D, * and #. */
export function isKey(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x44) || byte === 0x2a || byte === 0x23
}

/** A whole message of any kind around a copy of `payload` (at most 65,535 bytes, else FRAME_OVERSIZED). */
export function message(kind: number, payload: Uint8Array): Buffer {
  const whole = emptyMessage(kind, payload.length)
  whole.set(payload, HEADER_BYTES)
  return whole
}

/** A message whose payload of `length` bytes is still to be written; until then it is whatever the memory had. */
export function emptyMessage(kind: number, length: number): Buffer {
  if (length > 0xffff) throw fail('FRAME_OVERSIZED', { kind: kindText(kind), length })
  // from Node's pool: an ArrayBuffer for each frame of a prompt would cost more memory than the frame
  const whole = Buffer.allocUnsafe(HEADER_BYTES + length)
  whole[0] = kind
  whole.writeUInt16BE(length, 1)
  return whole
}

/**
 * One whole message of 20 ms at 8 kHz: exactly 320 bytes of PCM in, 323 bytes out. Any other size is FRAME_MALFORMED:
 * Asterisk forwards each message as one RTP packet, so odd sizes garble what the phone hears.
 */
export function audioFrame(pcm: Uint8Array): Buffer {
  if (pcm.length !== FRAME_BYTES) {
    throw fail('FRAME_MALFORMED', { kind: kindText(KIND.slin8), length: pcm.length })
  }
  return message(KIND.slin8, pcm)
}

/** The whole hangup message; shared, never written to. */
export const HANGUP: Buffer = message(KIND.hangup, new Uint8Array(0))

/**
 * Empty audio before the UUID: another node relays this leg. Asterisk never begins like this. Whoever does is not
 * relayed on, and comes by the main port. Shared, never written to.
 */
export const RELAYED: Buffer = message(KIND.slin8, new Uint8Array(0))

/** One whole frame of digital silence; shared, never written to. */
export const SILENCE: Buffer = audioFrame(new Uint8Array(FRAME_BYTES))

/** The whole first message of a connection; `id` in the usual 8-4-4-4-12 form, else FRAME_MALFORMED. */
export function uuidMessage(id: string): Buffer {
  const bytes = Buffer.from(id.replaceAll('-', ''), 'hex')
  if (bytes.length !== UUID_BYTES || uuidText(bytes, 0) !== id.toLowerCase()) {
    throw fail('FRAME_MALFORMED', { kind: kindText(KIND.uuid), length: bytes.length })
  }
  return message(KIND.uuid, bytes)
}

/** The whole message of one key; anything but a key is FRAME_MALFORMED. */
export function dtmfMessage(key: string): Buffer {
  const bytes = Buffer.from(key)
  if (bytes.length !== 1 || !isKey(bytes[0]!)) {
    throw fail('FRAME_MALFORMED', { kind: kindText(KIND.dtmf), length: bytes.length })
  }
  return message(KIND.dtmf, bytes)
}

/** The 16 bytes from `start` in the 8-4-4-4-12 form, lower case. */
export function uuidText(bytes: Buffer, start: number): string {
  const hex = bytes.toString('hex', start, start + UUID_BYTES)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** A kind in hexadecimal: `0x10`. */
export function kindText(kind: number): string {
  return `0x${kind.toString(16).padStart(2, '0')}`
}
