import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { MemberOperations, MemberSetup, StampedEvent } from './member.ts'

/** One real process with one breaker in it. */
export interface Member {
  readonly instance: string
  readonly process: ChildProcess
  ask<O extends keyof MemberOperations>(
    operation: O,
    ...args: Parameters<MemberOperations[O]>
  ): Promise<Awaited<ReturnType<MemberOperations[O]>>>
}

export interface FleetSetup extends Omit<MemberSetup, 'options'> {
  readonly options?: MemberSetup['options']
  readonly env?: NodeJS.ProcessEnv
  /** Begins the names of its members. @default 'member' */
  readonly named?: string
}

const program = join(import.meta.dirname, 'member.ts')
/** Started at once; more would only wait for each other. */
const STARTING = 8

// Starting a process takes far longer than giving it another breaker.
const idle: Member[] = []

/** Has `count` processes join one fleet, and waits until each has heard from Redis. */
export async function startFleet(count: number, setup: FleetSetup): Promise<Member[]> {
  const members: Member[] = []
  const { named = 'member' } = setup
  while (members.length < count) {
    const starting = Array.from({ length: Math.min(STARTING, count - members.length) }, (_, n) =>
      joinFleet(`${named}-${members.length + n}`, setup),
    )
    members.push(...(await Promise.all(starting)))
  }
  const joined = async (): Promise<boolean> => (await askAll(members, 'snapshot')).every(({ store }) => store === 'up')
  await until('all have joined', joined, 60_000)
  return members
}

async function joinFleet(instance: string, setup: FleetSetup): Promise<Member> {
  const reused = setup.env === undefined ? idle.pop() : undefined
  const member = { ...(reused ?? startMember(setup.env)), instance }
  const { url, prefix, options, connect, failpoints } = setup
  await member.ask('setup', {
    url,
    prefix,
    options: { ...options, instance },
    ...(connect === undefined ? {} : { connect }),
    ...(failpoints === undefined ? {} : { failpoints }),
  })
  return member
}

function startMember(env: NodeJS.ProcessEnv = {}): Omit<Member, 'instance'> {
  const child = fork(program, {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {
      PATH: process.env['PATH'],
      // Carries the Redis client this run is on.
      NODE_OPTIONS: process.env['NODE_OPTIONS'],
      NODE_COMPILE_CACHE: join(tmpdir(), 'breaker-test-cache'),
      ...env,
    },
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let next = 0
  child.on('message', (answer: { id: number; value?: unknown; error?: { message: string } }) => {
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (answer.error === undefined) asked?.resolve(answer.value)
    else asked?.reject(Object.assign(new Error(answer.error.message), answer.error))
  })
  child.on('exit', () => {
    for (const asked of waiting.values()) asked.reject(new Error('the process has ended'))
    waiting.clear()
  })
  return {
    process: child,
    ask(operation, ...args) {
      if (hasEnded(child)) return Promise.reject(new Error('the process has ended'))
      const asked = Promise.withResolvers<unknown>()
      const id = (next += 1)
      waiting.set(id, asked)
      child.send({ id, operation, args })
      return asked.promise as never
    },
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** The processes leave their fleet and wait for the next one. */
export async function endFleet(members: readonly Member[]): Promise<void> {
  for (const member of members) {
    if (hasEnded(member.process)) continue
    await member.ask('leave')
    idle.push(member)
  }
}

/** Ends all processes. */
export async function endProcesses(): Promise<void> {
  await Promise.all(
    idle.splice(0).map(async ({ process: child }) => {
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }),
  )
}

/** Asks all at once, in the order of the members. */
export function askAll<O extends keyof MemberOperations>(
  members: readonly Member[],
  operation: O,
  ...args: Parameters<MemberOperations[O]>
): Promise<Awaited<ReturnType<MemberOperations[O]>>[]> {
  return Promise.all(members.map(member => member.ask(operation, ...args)))
}

export async function statesOf(members: readonly Member[]): Promise<string[]> {
  return (await askAll(members, 'snapshot')).map(snapshot => snapshot.state)
}

/** Looks until `done`, for 40 s at most. */
export async function until(what: string, done: () => Promise<boolean> | boolean, timeoutMs = 40_000): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!(await done())) {
    if (performance.now() > endMs) throw new Error(`after ${timeoutMs} ms still not: ${what}`)
    await pause(20)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** The first event of a type of each member. */
export function firstOf(type: string, eventsOfAll: readonly StampedEvent[][]): (StampedEvent | undefined)[] {
  return eventsOfAll.map(events => events.find(({ event }) => event.type === type))
}

/** The most intervals that overlap at one time. */
export function mostAtOnce(intervals: readonly { readonly startMs: number; readonly endMs: number }[]): number {
  const edges = intervals.flatMap(({ startMs, endMs }) => [
    { atMs: startMs, change: 1 },
    { atMs: endMs, change: -1 },
  ])
  edges.sort((a, b) => a.atMs - b.atMs || a.change - b.change)
  let now = 0
  let most = 0
  for (const { change } of edges) {
    now += change
    most = Math.max(most, now)
  }
  return most
}
