/** `import { startService } from 'porteiro'`: the service inside a program of one's own. */
export type { Locale, Role } from './audio.ts'
export { type Config, loadConfig, parseConfig } from './config.ts'
export { type Details, ERRORS, type ErrorCode, PorteiroError } from './errors.ts'
export { createLog, type Logger, silentLog } from './log.ts'
export { type RunningService, type ServiceOptions, startService } from './service.ts'
export { VARIABLES } from './variables.ts'
