import { firstLine } from './demo-error.ts'

/** What has to be undone at the end of a run, last thing first, whatever happened in between. */
export interface Cleanup {
  add(what: string, undo: () => unknown): void
  /** Undoes everything once. @returns what could not be undone, one line each */
  run(): Promise<string[]>
}

export function createCleanup(): Cleanup {
  const steps: { what: string; undo: () => unknown }[] = []
  return {
    add(what, undo) {
      steps.push({ what, undo })
    },
    async run() {
      const failed: string[] = []
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
        try {
          await step.undo()
        } catch (error) {
          failed.push(`${step.what}: ${firstLine(error)}`)
        }
      }
      return failed
    },
  }
}
