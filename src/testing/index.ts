/**
 * The package's `porteiro/testing`: phones that speak AudioSocket as Asterisk does, a stage that runs a call on
 * simulated time, and paths through the machines with their coverage.
 * Never: anything that a test must not start, such as Postgres or a broker.
 */
export type { Prompts } from '../media/index.ts'
export type { Ended, Happening, Heard, Hearing, Violation, ViolationCode } from '../simulator/index.ts'
export {
  createPhone,
  createRecogniser,
  type Phone,
  type PhoneOptions,
  playResident,
  playVisitor,
  type Recogniser,
  type RecogniserEvents,
  type ResidentScript,
  type Sounds,
  type VisitorScript,
  type Vocabulary,
  vocabularyOf,
} from '../simulator/index.ts'
export { type Coverage, coverage, type Tally } from './coverage.ts'
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
export { type Examined, type MutateOptions, mutate } from './mutate.ts'
export { type Path, type PathOptions, paths, type Step } from './paths.ts'
export { readPrompts } from './prompts.ts'
export { createStage, type Line, SCENE_SETTINGS, type Scene } from './stage.ts'
export { stage } from './stage-driver.ts'
export type { SimulatedTime } from './stage-time.ts'
export { type Upgrade, type UpgradeOptions, upgrade } from './upgrade.ts'
export type { Sight, Stimulus } from './world.ts'
