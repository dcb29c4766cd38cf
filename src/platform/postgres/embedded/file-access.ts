import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface User {
  uid: number
  gid: number
}

/** "nobody" on Linux and in nearly every image: Postgres refuses to run as root. */
export const NOBODY: User = { uid: 65534, gid: 65534 }

/** The first directory on the path to and including `directory` (a real path) that `user` may not enter. */
export async function blockedAt(directory: string, user: User): Promise<string | undefined> {
  const above = dirname(directory)
  const blocked = above === directory ? undefined : await blockedAt(above, user)
  if (blocked !== undefined) return blocked
  return (await mayUse(directory, user, 0o1)) ? undefined : directory
}

/** `bits`: 4 read, 2 write, 1 execute or enter. Checks owner, group and others, but no access lists. */
export async function mayUse(path: string, user: User, bits: number): Promise<boolean> {
  const { mode, uid, gid } = await stat(path)
  const granted = uid === user.uid ? mode >> 6 : gid === user.gid ? mode >> 3 : mode
  return (granted & bits) === bits
}
