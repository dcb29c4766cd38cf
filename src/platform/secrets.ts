import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { fail } from './errors.ts'

/** What every encrypted secret begins with; no plain one may. Then follow its version, the key's id, and the rest. */
export const SEALED = 'enc:'
const VERSION = 'enc:v1'
const IV_BYTES = 12
const TAG_BYTES = 16
/** Distinct bytes of a key: 32 random ones have 30 on average, and fewer than 16 once in 10^13. What somebody typed has fewer. */
const MIN_DISTINCT = 16

/** Names the one place of a secret: table, key of the row, column. A secret that is copied elsewhere cannot be decrypted there. */
export type SecretPlace = readonly string[]

export interface SecretKeys {
  /** SECRET_KEY: encrypts. Undefined: secrets are written in clear text. */
  key?: string | undefined
  /** SECRET_KEY_OLD: decrypt as well. */
  others?: readonly string[] | undefined
}

export type Secrets = ReturnType<typeof createSecrets>

/** The 32 bytes of a key, written as 64 hex digits or in base64; undefined if it is no key, or a weak one. */
export function keyBytes(written: string): Buffer | undefined {
  const isHex = /^[0-9a-f]{64}$/i.test(written)
  if (!isHex && !/^[A-Za-z0-9+/_-]{43}=?$/.test(written)) return undefined
  const bytes = Buffer.from(written, isHex ? 'hex' : 'base64')
  return new Set(bytes).size < MIN_DISTINCT ? undefined : bytes
}

/**
 * Encrypts secrets for the database: AES-256-GCM, as `enc:v1:KEYID:` and base64url of IV, tag and ciphertext. What is stored in
 * clear text is read as it is.
 */
export function createSecrets({ key, others = [] }: SecretKeys = {}) {
  const [current, ...older] = [key, ...others].map((written) => {
    const bytes = written === undefined ? undefined : keyBytes(written)
    return bytes && { bytes, id: idOf(bytes) }
  })
  const known = new Map([current, ...older].flatMap((one) => (one ? [[one.id, one.bytes]] : [])))

  return {
    /** Ids of all keys. */
    ids: [...known.keys()],
    /** What begins a secret that is encrypted with the key that encrypts now; undefined without one. */
    prefix: current && `${VERSION}:${current.id}:`,
    /** The secret as it is stored. */
    seal(place: SecretPlace, plain: string): string {
      if (!current) return plain
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', current.bytes, iv).setAAD(aadOf(place))
      const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return `${this.prefix}${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')}`
    },
    /** The secret itself. Throws SECRET_UNREADABLE. */
    open(place: SecretPlace, stored: string): string {
      if (!stored.startsWith(SEALED)) return stored
      const [, , id = '', written = ''] = stored.split(':')
      const bytes = stored.startsWith(`${VERSION}:`) ? known.get(id) : undefined
      const unreadable = (reason: string, cause?: unknown) =>
        fail('SECRET_UNREADABLE', { place: place.join(' '), reason }, cause)
      if (!bytes) throw unreadable(`the key ${id.slice(0, 8)} is not configured`)
      try {
        const all = Buffer.from(written, 'base64url')
        const decipher = createDecipheriv('aes-256-gcm', bytes, all.subarray(0, IV_BYTES), {
          authTagLength: TAG_BYTES,
        })
        decipher.setAAD(aadOf(place)).setAuthTag(all.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
        return decipher.update(all.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      } catch (error) {
        throw unreadable('it was changed, or copied from another place', error)
      }
    },
  }
}

/** Of a process without a key. */
export const NO_SECRETS = createSecrets()

function idOf(key: Buffer): string {
  return createHmac('sha256', key).update('porteiro: id of a secret key').digest('hex').slice(0, 8)
}

function aadOf(place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify(place))
}
