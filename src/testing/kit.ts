/**
 * The kit without telephones: a stage that runs a call on simulated time, models and paths of machines, their coverage. It needs XState and
 * nothing else; the package `@porteiro/machines` has it too.
 * Never: sockets, files, or another dependency.
 */
export { type Coverage, type CoverageData, type CoverageReport, coverage, type Tally } from './coverage.ts'
export { type Extended, type Extension, extend } from './extend.ts'
export { done, each, type Fixture, type FixtureOutcome, failed } from './fixture.ts'
export { fixtures } from './fixtures.ts'
export { eventsOf, forGraph } from './graph.ts'
export {
  type Always,
  type Driver,
  type Model,
  type ModelOptions,
  type ModelPath,
  type ModelStep,
  model,
  PathError,
  type Player,
  type Seen,
} from './model.ts'
export { type Path, type PathOptions, paths, type Step } from './paths.ts'
export { type Played, playAll } from './played.ts'
export { createStage, type Line, SCENE_SETTINGS, type Scene } from './stage.ts'
export { type StageOptions, stage } from './stage-driver.ts'
export type { SimulatedTime } from './stage-time.ts'
export { type Upgrade, type UpgradeOptions, upgrade } from './upgrade.ts'
export type { Sight, Stimulus } from './world.ts'
