import { createHash } from 'node:crypto'

const NAME_LINE = /^-- ?([^\r\n]{1,200})/
const MAX_LEARNED = 1_000

/**
 * Names scripts for the proxy. EVALSHA carries only a hash, so its name comes from the catalogue, or from a text seen
 * earlier in EVAL or SCRIPT LOAD, whose first line is `-- <name>`. FCALL names its function.
 */
export function createScriptNames(
  catalog: () => ReadonlyMap<string, string>,
): (args: readonly Buffer[]) => string | undefined {
  const learned = new Map<string, string>()
  const texts = new Set<string>()

  const learn = (text: string): string | undefined => {
    const name = NAME_LINE.exec(text)?.[1]?.trim()
    if (name === undefined || texts.has(text) || learned.size >= MAX_LEARNED) return name
    texts.add(text)
    learned.set(createHash('sha1').update(text).digest('hex'), name)
    return name
  }

  return args => {
    const second = args[1]
    if (second === undefined) return undefined
    switch ((args[0] as Buffer).toString('latin1').toLowerCase()) {
      case 'eval':
      case 'eval_ro':
        return learn(second.toString())
      case 'evalsha':
      case 'evalsha_ro': {
        const sha1 = second.toString('latin1').toLowerCase()
        return catalog().get(sha1) ?? learned.get(sha1)
      }
      case 'script':
        if (args[2] !== undefined && second.toString('latin1').toLowerCase() === 'load') learn(args[2].toString())
        return undefined
      case 'fcall':
      case 'fcall_ro':
        return second.toString()
      default:
        return undefined
    }
  }
}
