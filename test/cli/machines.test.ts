import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { MACHINES } from '../../machines/index.ts'
import { registerMachinesCommand } from '../../src/cli/machines.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { suite } from '../rig/rig.ts'

const test = suite('machines command')

const IDS = MACHINES.map(({ id }) => id)

/** What the command prints; rejects with what it throws. */
async function machines(...args: string[]): Promise<string> {
  const printed: string[] = []
  const quiet = { writeErr: () => {}, writeOut: () => {} }
  const program = new Command('porteiro').exitOverride().configureOutput(quiet)
  registerMachinesCommand(program, (line) => printed.push(line))
  // the settings of the program are not those of a command that was made before
  program.commands[0]!.exitOverride().configureOutput(quiet)
  await program.parseAsync(['machines', ...args], { from: 'user' })
  return printed.join('\n')
}

const codeOf = (args: string[]) =>
  machines(...args).then(
    () => 'done',
    (error) => error.code,
  )

test('every machine is printed as Mermaid or as JSON', async () => {
  const mermaid = await machines()
  for (const id of IDS) assert.match(mermaid, new RegExp(`^%% ${id}\\nstateDiagram-v2$`, 'm'))
  for (const args of [['--json'], ['--format', 'json']]) {
    const all = JSON.parse(await machines(...args))
    assert.equal(Object.keys(all), IDS)
    assert.ok(all.call.states.attending)
  }
})

test('one machine is a drawing, or a configuration for Stately Studio', async () => {
  const svg = await machines('leg', '--format', 'svg')
  assert.match(svg, /^<\?xml [\s\S]*<svg[\s\S]*prefers-color-scheme[\s\S]*state-connected[\s\S]*<\/svg>\s*$/)
  const leg = JSON.parse(await machines('leg', '--json'))
  assert.equal([leg.id, leg.initial], ['leg', 'connected'])
})

test('files are written for each machine and format', async (rig) => {
  const scratch = await createTempDir('porteiro-machines-')
  rig.defer(() => scratch.remove())
  const out = join(scratch.path, 'charts', 'new')
  const { files } = JSON.parse(
    await machines('call', 'leg', '--format', 'svg,json,mermaid', '--out', out, '--json'),
  )
  const names = ['call.json', 'call.mmd', 'call.svg', 'leg.json', 'leg.mmd', 'leg.svg']
  assert.equal((await readdir(out)).sort(), names)
  assert.equal(
    (files as string[]).toSorted(),
    names.map((name) => join(out, name)),
  )
  for (const name of names) assert.ok((await readFile(join(out, name), 'utf8')).endsWith('\n'))
})

test('wrong usage is reported', async () => {
  assert.is(await codeOf(['nothing']), 'USAGE_WRONG')
  assert.is(await codeOf(['--format', 'svg']), 'USAGE_WRONG')
  assert.is(await codeOf(['call', '--format', 'svg,json']), 'USAGE_WRONG')
  assert.is(await codeOf(['--format', 'png']), 'commander.invalidArgument')
  assert.is(await codeOf(['leg', '--out', '/dev/null/charts']), 'USAGE_WRONG')
})

test.run()
