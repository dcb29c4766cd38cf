import { randomUUID } from 'node:crypto'
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { createCallFiles } from '../../src/calls/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { suite } from '../rig/rig.ts'

const test = suite('files of live calls')

test('a call is on the disk from its beginning to its end, and old files go', async (rig) => {
  const temp = await createTempDir('calls')
  rig.defer(() => temp.remove())
  const directory = join(temp.path, 'calls')
  const files = createCallFiles({ directory, log: silentLog() })
  assert.equal([await files.has('any'), await files.sweep()], [false, 0], 'before the first call')
  const [live, over, old] = [randomUUID(), randomUUID(), randomUUID()]
  for (const id of [live, over, old]) files.add(id)
  files.remove(over)
  await files.settled()
  // another process of this disk
  const others = createCallFiles({ directory, log: silentLog() })
  assert.equal(await Promise.all([live, over].map(others.has)), [true, false])
  others.remove(over)
  const before = new Date(Date.now() - 25 * 60 * 60 * 1000)
  await utimes(join(directory, old), before, before)
  assert.is(await others.sweep(), 1)
  await others.settled()
  assert.equal(await readdir(directory), [live])
})

test.run()
