#!/usr/bin/env node
// Plain old JavaScript on purpose: this file must run on any Node, to say what to do when it is too old.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const WANTED = [24, 4]
// short collections, so that frames leave on time: docs/adr/0025-heap-of-the-service.md
const HEAP = ['--max-semi-space-size=2', '--initial-old-space-size=256']
/** ms between two looks at whether npm is still there. */
const NPM_LOOK_MS = 500
/** A script of npm that does nothing but run porteiro, so that its shell has no reason to end before us. */
const OUR_SCRIPT = /^(\w+=\S* )*(exec )?(node (\S+ )*)?'?(\S+\/)?porteiro(\.js)?'?( [^&;|]*)?$/

const [major, minor] = process.versions.node.split('.').map(Number)
const root = dirname(dirname(fileURLToPath(import.meta.url)))

// SIGHUP says that what started us is gone; the service takes it as a request to end, and never as a second one
const hangUp = () => process.kill(process.pid, 'SIGHUP')
if (process.env.PORTEIRO_LAUNCHED && process.channel) {
  // the launcher below, on an older Node: its channel closes even when it is killed with -9
  process.once('disconnect', hangUp)
  process.channel.unref()
} else if (OUR_SCRIPT.test(process.env.npm_lifecycle_script ?? '')) {
  watchNpm(hangUp)
}
delete process.env.PORTEIRO_LAUNCHED

if (major > WANTED[0] || (major === WANTED[0] && minor >= WANTED[1])) {
  // Node does not strip types below node_modules: there the built files run
  const source = join(root, 'src', 'cli', 'main.ts')
  const built = join(root, 'dist', 'src', 'cli', 'main.js')
  const installed = root.includes(`${join('/', 'node_modules', '/')}`)
  await import(`file://${!installed && existsSync(source) ? source : built}`)
} else {
  const bundled = bundledNode()
  if (bundled === undefined) {
    process.stderr.write(
      `Porteiro needs Node ${WANTED.join('.')} or newer; this is ${process.versions.node} (NODE_TOO_OLD).\n` +
        'Run "npm install" without --omit=optional in the project, which brings a fitting Node for Linux, ' +
        'or install Node 24 from your distribution or https://nodejs.org.\n',
    )
    process.exit(78)
  }
  const child = spawn(bundled, [...HEAP, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, PORTEIRO_LAUNCHED: '1' },
  })
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'])
    process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal]
  })
}

/**
 * Calls `gone` once when npm or its shell has ended. npm passes SIGTERM to the shell of its script only, and the shell
 * dies of it without a word to us; SIGHUP and SIGKILL npm passes to nobody. Either would leave us behind with the ports.
 */
function watchNpm(gone) {
  const parent = process.ppid
  // with `exec` in the script our parent is npm itself, whose own parent may come and go
  const shellsParent = isShell(parent) ? parentOf(parent) : undefined
  const timer = setInterval(() => {
    if (process.ppid === parent && (shellsParent === undefined || parentOf(parent) === shellsParent)) return
    clearInterval(timer)
    gone()
  }, NPM_LOOK_MS)
  timer.unref()
}

/** Whether the process is a shell with a command line; never known without /proc. */
function isShell(pid) {
  return readProc(pid, 'cmdline')?.split('\0')[1] === '-c'
}

function parentOf(pid) {
  // "17 (a name (of any kind)) S 4 …"
  return readProc(pid, 'stat')
    ?.replace(/^.*\) . /s, '')
    .split(' ')[0]
}

function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

/** The Node that npm installed beside us as an optional dependency, if there is one for this machine. */
function bundledNode() {
  try {
    const name = `node-${process.platform}-${process.arch}`
    const path = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'node')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}
