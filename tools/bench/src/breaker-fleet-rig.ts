import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'

/** What a process of the rig answers to; each runs one of these. */
export type Operations = Record<string, (...args: never[]) => Promise<unknown>>

/** A process of its own, asked over IPC. */
export interface RigProcess<O> {
  ask<K extends keyof O & string>(
    operation: K,
    ...args: O[K] extends (...args: infer A) => unknown ? A : never
  ): Promise<O[K] extends (...args: never[]) => Promise<infer R> ? R : never>
  end(): Promise<void>
}

/** Starts a program of this folder that calls `serve`. */
export function startProcess<O>(program: string): RigProcess<O> {
  const child = fork(join(import.meta.dirname, program), {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let next = 0
  child.on('message', (answer: { id: number; value?: unknown; error?: string }) => {
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (answer.error === undefined) asked?.resolve(answer.value)
    else asked?.reject(new Error(answer.error))
  })
  child.on('exit', () => {
    for (const asked of waiting.values()) asked.reject(new Error(`${program} has ended`))
  })
  return {
    ask(operation, ...args) {
      const asked = Promise.withResolvers<unknown>()
      const id = (next += 1)
      waiting.set(id, asked)
      child.send({ id, operation, args })
      return asked.promise as never
    },
    end: () => ended(child),
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}

/** The other end of `startProcess`. The process ends with its parent. */
export function serve(operations: Operations): void {
  process.on('message', (message: { id: number; operation: string; args: never[] }) => {
    const run = operations[message.operation]
    if (run === undefined) throw new Error(`no operation ${message.operation}`)
    run(...message.args).then(
      value => process.send?.({ id: message.id, value }),
      (error: unknown) => process.send?.({ id: message.id, error: String(error) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
}

/** Milliseconds of one clock that all processes of a machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
