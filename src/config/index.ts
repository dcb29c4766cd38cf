/**
 * The environment, parsed once: variables, their forms, every problem at once, misspelt names.
 * Never: defaults or environment read anywhere else.
 */
export {
  type Config,
  type Environment,
  isLoopback,
  loadConfig,
  parseConfig,
  readEnvironment,
  shortKey,
} from './config.ts'
export { unknownSettings } from './misspelt.ts'
export { VARIABLES } from './variables.ts'
