/**
 * How handles are printed: one line for `console.log`, a small object for `JSON.stringify`.
 *
 *     HashTable "cities" { size: 1000, chains: 1024 }
 *
 * Printing a handle must not print the whole arena, and must not end the program. So it never
 * throws, even if the arena is gone, takes no lock, and changes nothing. `toJSON` returns the
 * facts, and `[INSPECT]` makes a line of them.
 */

/** The method that the consoles of Node, Bun and Deno call to print an object. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom')

type Fact = string | number | boolean

/** What is shown of a handle. */
export interface Summary {
  readonly kind: string
  readonly name?: string
  readonly [fact: string]: Fact
}

/** The summary of a handle; `closed` if it was closed, or its words cannot be read. */
export function summary(
  kind: string,
  name: string | undefined,
  facts: () => Readonly<Record<string, Fact>> | undefined,
): Summary {
  const head = name === undefined ? { kind } : { kind, name }
  try {
    return { ...head, ...(facts() ?? CLOSED) }
  } catch {
    return { ...head, ...CLOSED }
  }
}

const CLOSED = { closed: true }

export function inOneLine({ kind, name, ...facts }: Summary): string {
  const head = name === undefined ? kind : `${kind} ${JSON.stringify(name)}`
  const said = Object.entries(facts).map(([fact, value]) => `${fact}: ${JSON.stringify(value)}`)
  return said.length === 0 ? head : `${head} { ${said.join(', ')} }`
}
