/**
 * The first TypeScript code block of a README, without its fences.
 *
 * @throws Error when the README has none.
 */
export function firstCodeBlock(readme: string, name: string): string {
  const block = /^```ts\n(?<code>[\s\S]*?)^```$/m.exec(readme)?.groups?.['code']
  if (block === undefined) throw new Error(`${name}: the README has no \`\`\`ts code block`)
  return block
}
