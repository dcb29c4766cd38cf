/** The import rules of ARCHITECTURE.md: imports go down only, and siblings never import each other. */
const siblings = 'audiosocket|media|speech|dialogue|clicktocall|outbound|inbound'
const leaves =
  '^src/(at-exit|audio|errors|log|config|misspelt|variables|variable-forms|wav-chunks|root|wait|chat-model)\\.ts$'

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'machines-know-no-io',
      comment: 'Machines import xstate and each other, nothing else.',
      severity: 'error',
      from: { path: '^machines/' },
      to: { pathNot: ['^machines/', '^node_modules/xstate/'] },
    },
    {
      name: 'leaves-import-nothing-of-ours',
      severity: 'error',
      from: { path: leaves },
      to: { path: '^(src|machines)/', pathNot: leaves },
    },
    {
      name: 'store-is-at-the-bottom',
      severity: 'error',
      from: { path: '^src/store/' },
      to: { path: '^src/', pathNot: ['^src/store/', leaves] },
    },
    {
      name: 'siblings-do-not-know-each-other',
      severity: 'error',
      from: { path: `^src/(${siblings})/` },
      to: { path: `^src/(${siblings})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'siblings-import-down-only',
      severity: 'error',
      from: { path: `^src/(${siblings})/` },
      to: { path: '^src/', pathNot: [`^src/(${siblings}|store)/`, leaves] },
    },
    {
      name: 'calls-and-simulator-import-down-only',
      severity: 'error',
      from: { path: '^src/(calls|simulator)/' },
      to: { path: '^src/', pathNot: [`^src/$1/`, `^src/(${siblings}|store)/`, leaves] },
    },
    {
      name: 'http-imports-down-only',
      severity: 'error',
      from: { path: '^src/http/' },
      to: { path: '^src/', pathNot: [`^src/(http|calls|observe|${siblings}|store)/`, leaves] },
    },
    {
      name: 'observe-reads-what-it-is-handed',
      severity: 'error',
      from: { path: '^src/observe/' },
      to: { path: '^src/', pathNot: ['^src/observe/', leaves] },
    },
    {
      name: 'service-is-below-the-commands',
      severity: 'error',
      from: { path: '^src/(base|service|[a-z]+-service)\\.ts$' },
      to: { path: '^src/(main|cli|serve|demo|testing|index)\\.ts$' },
    },
    {
      name: 'product-does-not-import-tests',
      severity: 'error',
      from: { path: '^(src|machines)/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'only-declared-packages',
      severity: 'error',
      from: { path: '^(src|machines)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'unknown', 'undetermined'] },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^(src|machines)/', pathNot: '\\.d\\.ts$' },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    // for the browser, which finds modules where they are served
    exclude: { path: '^src/web/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
