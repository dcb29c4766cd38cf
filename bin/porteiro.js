#!/usr/bin/env node
// Plain old JavaScript on purpose: this file must run on any Node, to say what to do when it is too old.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const WANTED = [24, 4]
// short collections, so that frames leave on time: docs/adr/0025-heap-of-the-service.md
const HEAP = ['--max-semi-space-size=2', '--initial-old-space-size=256']

const [major, minor] = process.versions.node.split('.').map(Number)
const root = dirname(dirname(fileURLToPath(import.meta.url)))

// its older Node has started this one, and tells by the end of the channel that it is gone, were it by kill -9
if (process.env.PORTEIRO_LAUNCHED && process.channel) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel.unref()
}
delete process.env.PORTEIRO_LAUNCHED

if (major > WANTED[0] || (major === WANTED[0] && minor >= WANTED[1])) {
  // Node does not strip types below node_modules: there the built files run
  const source = join(root, 'src', 'main.ts')
  const built = join(root, 'dist', 'src', 'main.js')
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
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal]
  })
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
