import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import {
  type CallFiles,
  createCallFiles,
  createJournal,
  createRouting,
  type Journal,
  type Routing,
  writeBatch,
} from '../calls/index.ts'
import {
  createRequests,
  createStreams,
  enterNodes,
  openTopics,
  type Presence,
  type Requests,
  type Streams,
  type Topics,
} from '../cluster/index.ts'
import type { Config } from '../config/index.ts'
import { createErrorReports, createTimings, type ErrorReports, type Timings } from '../observe/index.ts'
import { makeDataDir } from '../platform/data-dir.ts'
import type { Logger } from '../platform/log.ts'
import type { Owner } from '../platform/owner.ts'
import { PACKAGE_ROOT, VERSION } from '../platform/package.ts'
import { type Database, migrate, openDatabase } from '../platform/postgres/index.ts'
import { type Messages, openMessages } from './messages.ts'
import { checkSecrets } from './secrets.ts'

/** Maximum number of Postgres connections for the first role of a process, and for each further one. */
const CONNECTIONS = { first: 10, further: 5 }

/** The parts that all roles of a process share. */
export interface Base {
  config: Config
  log: Logger
  database: Database
  journal: Journal
  presence: Presence
  requests: Requests
  routing: Routing
  streams: Streams
  topics: Topics
  messages: Messages
  reports: ErrorReports
  timings: Timings
  /** Live calls on the disk. */
  files: CallFiles
  /** Directory of the recordings, with a subdirectory for each call. */
  recordings: string
}

interface BaseOptions {
  config: Config
  /** Ends the wait for another process that migrates, or has this one's name. */
  starting?: AbortSignal | undefined
  log: Logger
  roles: readonly string[]
}

/**
 * Opens the shared parts; `owner` closes them in reverse order. Errors: DATA_DIR_UNUSABLE, SECRET_KEY_UNKNOWN, those of the
 * database, of migrations and of the queue.
 */
export async function openBase({ config, log, roles, starting }: BaseOptions, owner: Owner): Promise<Base> {
  const reports = await createErrorReports({ dsn: config.sentryDsn, release: VERSION, log })
  owner.defer(() => reports.close())
  await makeDataDir(config.dataDir)
  const database = await openDatabase({
    url: config.databaseUrl,
    schema: config.databaseSchema,
    dataDir: config.dataDir,
    log,
    secretKeys: config.secretKeys,
    max: CONNECTIONS.first + CONNECTIONS.further * (roles.length - 1),
  })
  owner.defer(() => database.close())
  await migrate(database, { directory: join(PACKAGE_ROOT, 'migrations'), signal: starting })
  await checkSecrets(database)
  const instance = randomUUID()
  const topics = await openTopics({ database, instance, log })
  owner.defer(() => topics.close())
  const presence = await enterNodes({
    database,
    instance,
    nodeId: config.nodeId,
    roles,
    log,
    signal: starting,
  })
  owner.defer(() => presence.leave())
  const requests = createRequests({ database, topics, presence, log })
  owner.defer(() => requests.close())
  const routing = createRouting({ database, requests, presence, log })
  const streams = createStreams({ topics, presence, requests, log })
  owner.defer(() => streams.close())
  const journal = createJournal({
    write: (batch) => database.transaction((transaction) => writeBatch(transaction, { ...batch, instance })),
    log,
  })
  owner.defer(() => journal.close())
  const files = createCallFiles({ directory: join(config.dataDir, 'calls'), instance, log })
  owner.defer(() => files.settled())
  const timings = createTimings()
  const recordings = join(config.dataDir, 'recordings')
  const works = roles.includes('worker')
  const messages = await openMessages(
    {
      ...{ config, log, database, topics, journal, timings, reports, recordings, works, instance },
      mayLive: (other) => presence.seen().some((node) => node.instance === other && !node.isSilent),
    },
    owner,
  )
  return {
    config,
    log,
    database,
    journal,
    presence,
    requests,
    routing,
    streams,
    topics,
    messages,
    reports,
    timings,
    files,
    recordings,
  }
}
