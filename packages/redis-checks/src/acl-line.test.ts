import { describe, expect, test } from 'vitest'

import { aclLine } from './acl-line.ts'
import type { NodeSubject } from './subject.ts'

function line(version: number, user: string, key: 'allowed' | 'refused' = 'refused'): string {
  const subject = {
    node: { access: { user: 'app', key } },
    context: { profile: 'cache', expect: { access: [{ commands: ['get', 'script load'] }] } },
    deployment: { keyPrefix: "it's:" },
    atLeast: (least: string) => version >= Number(least),
  }
  return aclLine(subject as unknown as NodeSubject, user)
}

describe('the line that gives a user what is needed', () => {
  test('is quoted for a shell, and has each command once', () => {
    const text = line(7.2, 'app')
    expect(text).toMatch(String.raw`redis-cli ACL SETUSER app '~it'\''s:*' +del`)
    expect(text).toContain("'+script|load'")
    expect(text.match(/\+get\b/g)).toHaveLength(1)
  })

  test('names WAITAOF only where the server knows it, or Redis refuses the whole line', () => {
    expect(line(7.2, 'app')).toContain('+waitaof')
    expect(line(7, 'app')).not.toContain('waitaof')
  })

  test('leaves keys alone that this user has, since Redis refuses a pattern beside ~*', () => {
    expect(line(7, 'app', 'allowed')).not.toContain('~')
    expect(line(7, 'another', 'allowed')).toContain('~')
  })
})
