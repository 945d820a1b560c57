import { rmSync } from 'node:fs'
import { mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'safety-redis-'
const STALE_MS = 3_600_000

// Ours that nobody has removed in an orderly way so far.
const folders = new Set<string>()

/** Removes what is left of this process's folders; for its exit. */
export function removeFoldersAtExit(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/**
 * Removes the folders of runners that were killed and so could not. Only old ones: where two systems share the folder for
 * temporary files, a process unknown here may be alive there.
 */
export async function sweepFolders(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid === undefined || !isGone(Number(pid))) continue
    const folder = join(parent, name)
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Infinity })) // another runner sweeps as well
    if (Date.now() - mtimeMs > STALE_MS) await rm(folder, { recursive: true, force: true })
  }
}

let swept: Promise<void> | undefined

/** Makes a temporary folder that is gone after this process has exited, if not removed before. */
export async function makeFolder(): Promise<string> {
  await (swept ??= sweepFolders(tmpdir()))
  const folder = await realpath(await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`)))
  folders.add(folder)
  return folder
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  folders.delete(folder)
}
