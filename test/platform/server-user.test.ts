import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, lstat, mkdir, readdir, readlink, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { findPackage, prepareBinaries } from '../../src/platform/postgres/embedded/binaries.ts'
import { blockedAt, NOBODY } from '../../src/platform/postgres/embedded/file-access.ts'
import { locateCluster } from '../../src/platform/postgres/embedded/socket-directory.ts'
import {
  ask,
  isAlive,
  isRoot,
  log,
  open,
  openElsewhere,
  spoilable,
  temporary,
} from '../rig/embedded-server.ts'
import { failure } from '../rig/failure.ts'
import { suite } from '../rig/rig.ts'

const test = suite("the embedded server's user and binaries")

test('names the platform that has no binaries', async () => {
  const error = await failure(findPackage('sunos', 'x64'))
  assert.is(error.code, 'DATABASE_UNSUPPORTED')
  assert.is(error.exit, 78)
  assert.match(error.message, 'sunos-x64')
})

test('makes the links good that an install without scripts left out', async (rig) => {
  const directory = await temporary(rig)
  await mkdir(join(directory, 'native/lib'), { recursive: true })
  await writeFile(join(directory, 'native/lib/libpq.so.5.18'), '')
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
  await writeFile(join(directory, 'native/pg-symlinks.json'), JSON.stringify(links))
  const { postgres } = await prepareBinaries({ directory, version: '18' }, undefined, {
    copyTo: '/nowhere',
    log,
  })
  assert.is(await readlink(join(directory, 'native/lib/libpq.so.5')), 'libpq.so.5.18')
  assert.is(postgres, join(directory, 'native/bin/postgres'))
})

test('a cluster in its own data directory is never taken for one of another, whatever the directory is called', async (rig) => {
  // as install.sh has it: the data in the directory that root's clusters go to
  const home = await realpath(await temporary(rig))
  await mkdir(join(home, 'postgres'))
  if (isRoot) await chown(join(home, 'postgres'), NOBODY.uid, NOBODY.gid)
  const own = await locateCluster(home, home)
  assert.equal([own.cluster, own.exists, own.away], [join(home, 'postgres'), true, false])
  const clone = await realpath(await temporary(rig))
  await symlink(own.cluster, join(clone, 'postgres'))
  const linked = await locateCluster(clone, home)
  assert.equal([linked.cluster, linked.away], [own.cluster, true])
})

const asNobody =
  isRoot &&
  !(await blockedAt(import.meta.dirname, NOBODY)) &&
  !(await blockedAt(process.execPath.replace(/\/[^/]*$/, ''), NOBODY))
const rootTest = isRoot ? test : (title: string, _: unknown) => test.skip(title, 'needs root')
const nobodyTest = asNobody
  ? test
  : (title: string, _: unknown) => test.skip(title, 'needs root, and a checkout that nobody can read')

nobodyTest('runs as an ordinary user', async (rig) => {
  const dataDir = await temporary(rig)
  await chown(dataDir, NOBODY.uid, NOBODY.gid)
  const server = await openElsewhere(rig, dataDir, NOBODY)
  assert.is((await lstat(join(dataDir, 'postgres/postmaster.pid'))).uid, NOBODY.uid)
  assert.equal(await ask(server.url, 'select 1 as one'), [{ one: 1 }])
  await server.close()
  assert.is(isAlive(server.pid), false)
})

rootTest('does not run as root, and follows the owner of an older directory', async (rig) => {
  const dataDir = await spoilable(rig)
  const owner = { uid: 65533, gid: 65533 }
  const cluster = join(dataDir, 'postgres')
  for (const name of ['', ...(await readdir(cluster, { recursive: true }))]) {
    await chown(join(cluster, name), owner.uid, owner.gid)
  }
  const server = await open(rig, dataDir)
  assert.is((await lstat(`/proc/${server.pid}`)).uid, owner.uid)
  assert.equal(await ask(server.url, 'select 1 as one'), [{ one: 1 }])
})

rootTest('works below a directory that the server may not enter, and is found there again', async (rig) => {
  const dataDir = join(await temporary(rig, 0o700), 'data')
  const first = await open(rig, dataDir)
  const cluster = await readlink(join(dataDir, 'postgres'))
  rig.defer(() => rm(cluster, { recursive: true, force: true }))
  rig.defer(first.close)
  assert.match(cluster, /^\/var\/lib\/porteiro\/[0-9a-f]{12}$/)
  await ask(first.url, 'create table kept as select 1 as n')
  await first.close()
  await rm(join(dataDir, 'postgres'))
  const second = await open(rig, dataDir)
  rig.defer(second.close)
  assert.equal(await ask(second.url, 'select n from kept'), [{ n: 1 }])
})

rootTest('copies binaries that the server may not enter, links and all', async (rig) => {
  const copyTo = await temporary(rig)
  const source = await findPackage()
  const stranger = { uid: 65533, gid: 65533 }
  const hidden = join(await temporary(rig, 0o700), 'package')
  await symlink(source.directory, hidden)
  const binaries = await prepareBinaries({ ...source, directory: hidden }, stranger, { copyTo, log })
  assert.match(binaries.postgres, copyTo)
  const child = spawn(binaries.initdb, ['--version'], {
    ...stranger,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  assert.match(String((await once(child.stdout, 'data'))[0]), 'PostgreSQL')
  assert.equal((await once(child, 'close'))[0], 0)
  assert.equal(await readdir(copyTo), [`postgres-${source.version}`])
  assert.equal(await prepareBinaries({ ...source, directory: hidden }, stranger, { copyTo, log }), binaries)
})

test.run()
