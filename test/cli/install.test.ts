/** install.sh on a machine that has an older release: in mount namespaces of its own, where /etc, /opt, /run and /var/lib are folders of the test. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { blockedAt, NOBODY } from '../../src/platform/postgres/embedded/file-access.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { start } from '../rig/command.ts'
import { openDatabaseUrl } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('install.sh', { timeout: 300_000 })

const ROOT = dirname(dirname(import.meta.dirname))
const PARTS = ['bin', 'src', 'machines', 'migrations', 'prompts', 'examples', 'package.json']
const FILES = ['package-lock.json', '.npmrc', '.env.example']
const KEY = 'a-key-of-twenty-letters-or-more'

const isAble =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['-m', 'true']).status === 0 &&
  !(await blockedAt(import.meta.dirname, NOBODY))
const asRoot = (title: string, handler: (rig: Rig) => unknown) =>
  isAble ? test(title, handler) : test.skip(title, 'needs root, unshare, and a checkout that others may read')

/** A machine without a Porteiro, whose npm has the packages of this checkout at hand. */
async function openMachine(rig: Rig) {
  const { path, remove } = await createTempDir('porteiro-install-')
  rig.defer(remove)
  chmodSync(path, 0o755)
  const place = (name: string) => join(path, name)
  cpSync('/etc', place('etc'), { recursive: true, verbatimSymlinks: true })
  for (const name of ['opt', 'lib', 'run/systemd/system', 'bin']) mkdirSync(place(name), { recursive: true })
  for (const account of ['passwd', 'group', 'shadow', 'gshadow']) {
    const file = place(`etc/${account}`)
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^porteiro:.*\n/m, ''))
  }
  const command = (name: string, script: string) =>
    writeFileSync(place(`bin/${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const npm = (script = `ln -s ${ROOT}/node_modules node_modules`) => command('npm', script)
  npm()
  command('systemctl', 'echo "$*" >>/run/systemctl')
  const folders = { etc: '/etc', opt: '/opt', run: '/run', lib: '/var/lib' }
  const mounts = Object.entries(folders).map(([name, target]) => `mount --bind ${place(name)} ${target}`)
  /** The words that run a shell's line on the machine. */
  const on = (line: string) => [
    'unshare',
    '-m',
    'sh',
    '-ec',
    ['mount --make-rprivate /', ...mounts, line].join('\n'),
  ]
  const env = { PATH: `${place('bin')}:${process.env['PATH']}`, LANG: 'C.UTF-8' }
  const run = (line: string) => {
    const [file, ...args] = on(line)
    // in a group of its own, which a script may kill
    const { status, signal, stdout, stderr } = spawnSync(file!, args, { encoding: 'utf8', env })
    return { code: status ?? signal, text: stdout + stderr }
  }
  /** A checkout of this program as the version. */
  const checkout = (version: string) => {
    const folder = place(`checkout-${version}`)
    mkdirSync(join(folder, 'docs'), { recursive: true })
    for (const part of [...PARTS, ...FILES]) cpSync(join(ROOT, part), join(folder, part), { recursive: true })
    const file = join(folder, 'package.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"version": ".*"/, `"version": "${version}"`))
    writeFileSync(join(folder, 'docs', 'which.md'), version)
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args])
    git('init', '-q')
    git('add', '-A')
    git('commit', '-qm', version)
    return folder
  }
  return {
    place,
    run,
    npm,
    checkout,
    install: (folder: string) => run(`sh ${folder}/examples/systemd/install.sh`),
    /** What systemd was told since it was asked last. */
    told() {
      const said = run('cat /run/systemctl 2>/dev/null || true; rm -f /run/systemctl').text
      return said.split('\n').filter((line) => line !== '')
    },
    /** Name of the release in use, and its folders. */
    releases: () => ({
      current: readlinkSync(place('opt/porteiro/current')).replace('/opt/porteiro/', '').replace(/-.*/, ''),
      kept: readdirSync(place('opt/porteiro'))
        .filter((name) => name !== 'current')
        .map((name) => name.replace(/-[0-9a-f]+/, ''))
        .toSorted(),
    }),
    /** The service that is in use; `restart` of the stub starts none. */
    async serve() {
      const running = await start(
        rig,
        [],
        { LANG: 'C.UTF-8' },
        {
          group: true,
          command: {
            argv: on('cd /opt/porteiro/current; exec ./node bin/porteiro.js serve'),
            cwd: path,
          },
        },
      )
      const { api } = await running.logged('ready')
      const ask = async (route: string, init: RequestInit = {}) => {
        const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }
        const answer = await fetch(`http://127.0.0.1:${api}${route}`, { headers, ...init })
        assert.ok(answer.ok, `${route}: ${answer.status}`)
        return (await answer.json()) as Record<string, unknown>
      }
      return {
        ask,
        async stop() {
          running.child.kill('SIGTERM')
          const { code, err } = await running.ended
          assert.is(code, 0, err)
        },
      }
    },
  }
}

asRoot(
  'an upgrade keeps data, settings and key; what fails on the way leaves the old release',
  async (rig) => {
    const machine = await openMachine(rig)
    const { place, install, checkout, releases, told, serve } = machine
    const settings = place('etc/porteiro/porteiro.env')
    const old = checkout('1.0.0')
    const first = install(old)
    assert.is(first.code, 0, first.text)
    assert.equal(releases(), { current: '1.0.0', kept: ['1.0.0'] })
    assert.equal(told(), ['daemon-reload', 'enable -q porteiro', 'restart porteiro'])
    assert.match(readFileSync(settings, 'utf8'), /^API_KEY=[0-9a-f]{48}$/m)
    const { text: owners } = machine.run('stat -c "%a %U:%G" /etc/porteiro/porteiro.env /var/lib/porteiro')
    assert.is(owners, '640 root:porteiro\n750 porteiro:porteiro\n')

    // the administrator's own settings, and data
    const url = await openDatabaseUrl(rig)
    const own = `# of the house
DATABASE_URL='${url}'
DATA_DIR=/var/lib/porteiro
API_KEY="${KEY}"
API_PORT=0
AUDIOSOCKET_VISITOR_PORT=0
AUDIOSOCKET_RESIDENT_PORT=0
CLICKTOCALL=off
TTS=none
`
    writeFileSync(settings, own)
    machine.run('install -D -m 600 -o porteiro -g porteiro /etc/hostname /var/lib/porteiro/recordings/a.wav')
    const service = await serve()
    const unit = { number: '77', residents: [] }
    const { id } = await service.ask('/api/units', { method: 'POST', body: JSON.stringify(unit) })
    await service.stop()
    /** The release in use starts, with the key and the data of before. */
    const works = async () => {
      const again = await serve()
      assert.is((await again.ask(`/api/units/${id}`))['number'], '77')
      await again.stop()
    }
    const dataOf = () =>
      machine.run('cd /var/lib/porteiro && find . -name "*.wav" -exec stat -c "%n %a %U %s" {} +').text
    const data = dataOf()
    const unchanged = () => {
      assert.is(readFileSync(settings, 'utf8'), own)
      assert.is(machine.run('stat -c "%a %U:%G" /etc/porteiro/porteiro.env').text, '640 root:porteiro\n')
      assert.is(dataOf(), data)
    }

    // again, with nothing new
    const folderOf = () => {
      const [name] = readdirSync(place('opt/porteiro')).filter((one) => one !== 'current')
      return [name, statSync(place(`opt/porteiro/${name}`)).ino]
    }
    const folder = folderOf()
    assert.is(install(old).code, 0)
    assert.equal(folderOf(), folder)
    unchanged()
    told()

    // packages cannot be had; then the machine is switched off in the middle
    const next = checkout('2.0.0')
    for (const script of [
      'echo no network >&2; exit 1',
      'mkdir node_modules; kill -9 $(cat /run/install.pid)',
    ]) {
      machine.npm(script)
      const failed = machine.run(`echo $$ >/run/install.pid; exec sh ${next}/examples/systemd/install.sh`)
      assert.is.not(failed.code, 0)
      assert.equal(releases(), { current: '1.0.0', kept: ['1.0.0', '2.0.0.draft'] })
      assert.equal(told(), [])
      unchanged()
    }
    await works()

    // settings that the new release does not take
    machine.npm()
    writeFileSync(settings, `${own}MAX_CALLS=many\n`)
    const refused = install(next)
    assert.is(refused.code, 78, refused.text)
    assert.match(refused.text, /MAX_CALLS/)
    assert.is(releases().current, '1.0.0')
    assert.equal(told(), [])

    writeFileSync(settings, own)
    const upgraded = install(next)
    assert.is(upgraded.code, 0, upgraded.text)
    assert.equal(releases(), { current: '2.0.0', kept: ['1.0.0', '2.0.0'] })
    assert.equal(told(), ['daemon-reload', 'enable -q porteiro', 'restart porteiro'])
    unchanged()
    assert.is(machine.run('cat /opt/porteiro/current/docs/which.md').text, '2.0.0')
    await works()

    // a checkout that somebody has changed is another release
    writeFileSync(join(next, 'docs', 'which.md'), 'changed')
    assert.is(install(next).code, 0)
    assert.is(machine.run('cat /opt/porteiro/current/docs/which.md').text, 'changed')

    // back
    machine.run('ln -sfn /opt/porteiro/1.0.0-* /opt/porteiro/current')
    await works()
  },
)

test.run()
