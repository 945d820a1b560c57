const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text made safe for element content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => ESCAPES[character]!)
}

/** A table from texts; the first cell of each row heads it. */
export function htmlTable(className: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const header = head.map(cell => `<th scope="col">${escapeHtml(cell)}</th>`).join('')
  const body = rows
    .map(([first = '', ...rest]) => {
      const cells = rest.map(cell => `<td>${escapeHtml(cell)}</td>`).join('')
      return `<tr><th scope="row">${escapeHtml(first)}</th>${cells}</tr>`
    })
    .join('\n')
  return `<div class="scroll"><table class="${className}"><thead><tr>${header}</tr></thead><tbody>${body}</tbody></table></div>`
}
