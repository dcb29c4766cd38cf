/** Queues that workers serve; each has its own dead letters. */
export const QUEUES = [
  'outgoing',
  'incoming',
  'webhook',
  'webhook.status.failed',
  'media',
  'notification',
] as const
export type QueueName = (typeof QUEUES)[number]

/** Queues whose jobs are messages; the jobs of the others name their handler by type. */
export const MESSAGE_QUEUES = [
  'outgoing',
  'webhook',
  'media',
  'notification',
] as const satisfies readonly QueueName[]
export type MessageQueue = (typeof MESSAGE_QUEUES)[number]

export const deadOf = (queue: QueueName) => `${queue}.dead` as const

export const isQueue = (name: string): name is QueueName => (QUEUES as readonly string[]).includes(name)

export const isMessageQueue = (name: QueueName): name is MessageQueue =>
  (MESSAGE_QUEUES as readonly QueueName[]).includes(name)

/** The queues of jobs that are not messages. */
export const JOB_QUEUES = QUEUES.filter((name) => !isMessageQueue(name))
