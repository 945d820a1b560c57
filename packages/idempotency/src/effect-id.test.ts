import { expect, test } from 'vitest'

import { effectIdOf } from './effect-id.ts'

test('an effect id is 26 characters of base32 over sha256(namespace NUL effect NUL part), as a reader in any language computes it', () => {
  // printf 'shop\0pay\0order-7' | sha256sum | xxd -r -p | base32 | tr A-Z a-z | cut -c1-26
  expect(effectIdOf('shop', 'pay', 'order-7')).toBe('neytwoy5xsd3djkogq4mdjml4k')
  expect(effectIdOf('shop', 'pay', 'order-7')).toMatch(/^[a-z2-7]{26}$/)
})

test('namespace, effect and key each change it, and cannot run into each other', () => {
  const ids = [
    effectIdOf('a', 'b', 'c'),
    effectIdOf('ab', '', 'c'),
    effectIdOf('a', 'bc', ''),
    effectIdOf('a', 'b', 'd'),
    effectIdOf('x', 'b', 'c'),
  ]
  expect(new Set(ids).size).toBe(ids.length)
})
