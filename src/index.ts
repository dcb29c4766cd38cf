/** `import { startService } from 'porteiro'`: the service inside a program of one's own. */

export { type Config, loadConfig, parseConfig, VARIABLES } from './config/index.ts'
export type { Locale, Role } from './platform/audio.ts'
export { type Details, ERRORS, type ErrorCode, PorteiroError } from './platform/errors.ts'
export { createLog, type Logger, silentLog } from './platform/log.ts'
export { type RunningService, type ServiceOptions, startService } from './roles/index.ts'
