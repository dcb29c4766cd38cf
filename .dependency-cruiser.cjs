/** The import rules of ARCHITECTURE.md, made from the floors in scripts/house.json: imports go down, through doors. */
const { floors } = require('./scripts/house.json')

const folder = (room) => (room === 'machines' ? '^machines/' : `^src/${room}/`)
/** Rooms inside platform/ that have a door of their own; its loose files are doors themselves. */
const PARTS = ['postgres', 'amqp', 'http-client']
/** What other rooms see of a room. */
const door = (room) => (room === 'machines' ? '^machines/index\\.ts$' : `^src/${room}/index\\.ts$`)

const downOnly = floors.flatMap((rooms, at) =>
  rooms.map((room) => ({
    name: `${room}-imports-down`,
    comment: `A room imports rooms of lower floors only: ${JSON.stringify(rooms)} is floor ${floors.length - at}.`,
    severity: 'error',
    from: { path: folder(room) },
    to: {
      path: floors
        .slice(0, at + 1)
        .flat()
        .filter((other) => other !== room)
        .map(folder)
        .concat('^src/index\\.ts$'),
    },
  })),
)

/** Tests that put the whole product together, and the parts that all tests share, enter any room. */
const WHOLE = '^test/(rig|roles|asterisk|web|cli|scripts|chaos)/|^test/run\\.ts$|^(bench|chaos)/'

const throughDoors = floors
  .flat()
  .filter((room) => room !== 'platform')
  .map((room) => ({
    name: `${room}-has-a-door`,
    comment: 'Other rooms import index.ts; tests may enter the room that they test.',
    severity: 'error',
    from: { path: '^(src|machines|test|scripts)/', pathNot: [folder(room), `^test/${room}/`, WHOLE] },
    to: { path: folder(room), pathNot: [door(room), '\\.d\\.ts$'] },
  }))
  .concat(
    PARTS.map((part) => ({
      name: `${part}-has-a-door`,
      severity: 'error',
      from: {
        path: '^(src|machines|test|scripts)/',
        pathNot: [`^src/platform/${part}/`, '^test/platform/', WHOLE],
      },
      to: { path: `^src/platform/${part}/`, pathNot: [`^src/platform/${part}/index\\.ts$`] },
    })),
  )

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
      name: 'calls-use-the-media-port',
      comment:
        'ADR 30: no frame in calls. Entrances need the type of a listening port; orphaned calls end where there is no media port.',
      severity: 'error',
      from: { path: '^src/calls/', pathNot: '^src/calls/(entrance-ports|recovery/orphaned-calls)\\.ts$' },
      to: { path: '^src/(media|audiosocket)/' },
    },
    ...downOnly,
    ...throughDoors,
    {
      name: 'the-root-of-src-is-empty',
      severity: 'error',
      from: { path: '^src/[^/]+$', pathNot: '^src/index\\.ts$' },
      to: {},
    },
    {
      name: 'product-does-not-import-tests',
      severity: 'error',
      from: { path: '^(src|machines)/' },
      to: { path: '^(test|bench|chaos|scripts)/' },
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
